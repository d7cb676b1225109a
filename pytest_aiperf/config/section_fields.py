"""Which option belongs to which part of `AIPerfConfig`. Disjoint, and together all of `CLIConfig`."""

from __future__ import annotations

from typing import Final

from pytest_aiperf.config.dataset_options import DatasetOptions
from pytest_aiperf.config.media_options import MediaOptions
from pytest_aiperf.config.synthesis_options import SynthesisOptions

ENDPOINT_FIELDS: Final = frozenset(
    {
        "endpoint",
        "model",
        "endpoint_type",
        "streaming",
        "headers",
        "transport",
        "connection_reuse_strategy",
        "request_timeout",
        "connect_timeout",
        "first_byte_timeout",
        "stall_timeout",
        "insecure",
        "ca_file",
        "client_certificate",
        "client_key",
        "proxy",
        "extra_inputs",
        "custom_endpoint",
        "download_video_content",
    }
)
LOAD_FIELDS: Final = frozenset(
    {
        "concurrency",
        "prefill_concurrency",
        "concurrency_ramp_duration",
        "ramp_shape",
        "request_rate",
        "arrival_pattern",
        "arrival_smoothness",
        "request_rate_ramp_duration",
        "request_count",
        "benchmark_duration",
        "benchmark_grace_period",
        "warmup_request_count",
        "workers",
        "fixed_schedule",
        "fixed_schedule_start_offset",
        "fixed_schedule_end_offset",
        "fixed_schedule_auto_offset",
        "fixed_schedule_speedup",
        "user_centric_rate",
        "num_users",
        "request_cancellation_rate",
        "request_cancellation_delay",
    }
)
INPUT_FIELDS: Final = (
    frozenset({"isl", "osl", "seed", "cache_bust", "session_turns_mean", "session_turn_delay_mean"})
    | DatasetOptions.model_fields.keys()
    | SynthesisOptions.model_fields.keys()
    | MediaOptions.model_fields.keys()
)
VERDICT_FIELDS: Final = frozenset(
    {
        "mode",
        "against",
        "num_profile_runs",
        "alpha",
        "max_time",
        "max_mde",
        "inconclusive",
        "missing",
        "strict",
        "require",
        "isolation",
        "validity",
        "goodput",
    }
)
BASELINE_FIELDS: Final = frozenset({"update", "prune", "profile", "baseline_dir"})
CONFIGURATION_FIELDS: Final = frozenset({"config_file"})
"""Of no section of the file, because they say where it is."""
OUTPUT_FIELDS: Final = frozenset({"json_path", "markdown_path", "artifacts", "columns", "log_level"})

SECTIONS: Final = {
    "endpoint": ENDPOINT_FIELDS,
    "load": LOAD_FIELDS,
    "input": INPUT_FIELDS,
    "verdict": VERDICT_FIELDS,
    "baseline": BASELINE_FIELDS,
    "output": OUTPUT_FIELDS,
    "configuration": CONFIGURATION_FIELDS,
}
