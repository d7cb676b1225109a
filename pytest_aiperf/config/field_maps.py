"""Which key of `AIPerfConfig` an option fills, section by section. One that stands in none belongs to the surfaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_aiperf.config.section_fields import INPUT_FIELDS

ENDPOINT_FIELD_MAP: Final[Mapping[str, str]] = {
    "model": "model",
    "endpoint_type": "type",
    "streaming": "streaming",
    "headers": "headers",
    "custom_endpoint": "custom_endpoint",
    "download_video_content": "download_video_content",
    "extra_inputs": "extra",
    "transport": "transport",
    "connection_reuse_strategy": "connection_reuse_strategy",
    "request_timeout": "request_timeout_s",
    "connect_timeout": "connect_timeout_s",
    "first_byte_timeout": "first_byte_timeout_s",
    "stall_timeout": "stall_timeout_s",
    "insecure": "insecure",
    "ca_file": "ca_file",
    "client_certificate": "client_certificate",
    "client_key": "client_key",
    "proxy": "proxy",
}
LOAD_FIELD_MAP: Final[Mapping[str, str]] = {
    "concurrency": "concurrency",
    "prefill_concurrency": "prefill_concurrency",
    "concurrency_ramp_duration": "concurrency_ramp_s",
    "ramp_shape": "ramp_shape",
    "request_rate": "request_rate",
    "arrival_pattern": "arrival_pattern",
    "arrival_smoothness": "arrival_smoothness",
    "request_rate_ramp_duration": "request_rate_ramp_s",
    "request_count": "request_count",
    "benchmark_duration": "duration_s",
    "benchmark_grace_period": "grace_period_s",
    "warmup_request_count": "warm_up",
    "workers": "workers",
    "fixed_schedule": "fixed_schedule",
    "fixed_schedule_start_offset": "schedule_start_ms",
    "fixed_schedule_end_offset": "schedule_end_ms",
    "fixed_schedule_auto_offset": "schedule_auto_offset",
    "fixed_schedule_speedup": "schedule_speedup",
    "user_centric_rate": "user_centric_rate",
    "num_users": "num_users",
    "request_cancellation_rate": "cancellation_percent",
    "request_cancellation_delay": "cancellation_delay_s",
}
INPUT_FIELD_MAP: Final[Mapping[str, str]] = {name: name for name in INPUT_FIELDS} | {
    "session_turns_mean": "turns",
    "session_turn_delay_mean": "turn_delay_ms",
}
VERDICT_FIELD_MAP: Final[Mapping[str, str]] = {
    "mode": "mode",
    "num_profile_runs": "runs",
    "alpha": "alpha",
    "max_time": "max_time_s",
    "max_mde": "max_mde",
    "strict": "strict",
    "validity": "validity",
    "goodput": "goodput",
}

FIELD_MAPS: Final = {
    "endpoint": ENDPOINT_FIELD_MAP,
    "load": LOAD_FIELD_MAP,
    "input": INPUT_FIELD_MAP,
    "verdict": VERDICT_FIELD_MAP,
}
KEYS: Final[Mapping[str, tuple[str, str]]] = {
    option: (section, key) for section, keys in FIELD_MAPS.items() for option, key in keys.items()
}
"""Section and key, by option."""
