"""From flat options to the validated whole. The only module outside the surfaces that reads `CLIConfig`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.endpoint_config import EndpointConfig
from pytest_aiperf.config.resolver import plain_message
from pytest_aiperf.config.tolerance import parse_tolerance

_KEYS: Final[Mapping[str, tuple[str, str]]] = {
    "model": ("endpoint", "model"),
    "endpoint_type": ("endpoint", "type"),
    "streaming": ("endpoint", "streaming"),
    "headers": ("endpoint", "headers"),
    "extra_inputs": ("endpoint", "extra"),
    "transport": ("endpoint", "transport"),
    "connection_reuse_strategy": ("endpoint", "connection_reuse_strategy"),
    "request_timeout": ("endpoint", "request_timeout_s"),
    "connect_timeout": ("endpoint", "connect_timeout_s"),
    "first_byte_timeout": ("endpoint", "first_byte_timeout_s"),
    "stall_timeout": ("endpoint", "stall_timeout_s"),
    "insecure": ("endpoint", "insecure"),
    "ca_file": ("endpoint", "ca_file"),
    "client_certificate": ("endpoint", "client_certificate"),
    "client_key": ("endpoint", "client_key"),
    "proxy": ("endpoint", "proxy"),
    "concurrency": ("load", "concurrency"),
    "prefill_concurrency": ("load", "prefill_concurrency"),
    "concurrency_ramp_duration": ("load", "concurrency_ramp_s"),
    "ramp_shape": ("load", "ramp_shape"),
    "request_rate": ("load", "request_rate"),
    "arrival_pattern": ("load", "arrival_pattern"),
    "arrival_smoothness": ("load", "arrival_smoothness"),
    "request_rate_ramp_duration": ("load", "request_rate_ramp_s"),
    "request_count": ("load", "request_count"),
    "benchmark_duration": ("load", "duration_s"),
    "benchmark_grace_period": ("load", "grace_period_s"),
    "warmup_request_count": ("load", "warm_up"),
    "workers": ("load", "workers"),
    "fixed_schedule": ("load", "fixed_schedule"),
    "fixed_schedule_start_offset": ("load", "schedule_start_ms"),
    "fixed_schedule_end_offset": ("load", "schedule_end_ms"),
    "fixed_schedule_auto_offset": ("load", "schedule_auto_offset"),
    "fixed_schedule_speedup": ("load", "schedule_speedup"),
    "user_centric_rate": ("load", "user_centric_rate"),
    "num_users": ("load", "num_users"),
    "request_cancellation_rate": ("load", "cancellation_percent"),
    "request_cancellation_delay": ("load", "cancellation_delay_s"),
    "isl": ("input", "isl"),
    "osl": ("input", "osl"),
    "seed": ("input", "seed"),
    "cache_bust": ("input", "cache_bust"),
    "session_turns_mean": ("input", "turns"),
    "session_turn_delay_mean": ("input", "turn_delay_ms"),
    "mode": ("verdict", "mode"),
    "num_profile_runs": ("verdict", "runs"),
    "alpha": ("verdict", "alpha"),
    "max_time": ("verdict", "max_time_s"),
    "max_mde": ("verdict", "max_mde"),
    "strict": ("verdict", "strict"),
    "validity": ("verdict", "validity"),
    "goodput": ("verdict", "goodput"),
}


def to_aiperf_config(
    options: CLIConfig,
    *,
    url: str | Sequence[str],
    tolerance: Mapping[str, object] | None = None,
    metrics: Sequence[str] | None = None,
) -> AIPerfConfig:
    """Return the configuration of one measurement at one URL or several; an option not given emits nothing.

    Raises:
        ConfigurationError: the parts do not fit together; the message names the key.
    """
    first, *further = [url] if isinstance(url, str) else url
    sections: dict[str, dict[str, Any]] = {"endpoint": {"url": first}, "load": {}, "input": {}, "verdict": {}}
    if further:
        sections["endpoint"]["further_urls"] = tuple(further)
    for field in options.model_fields_set & _KEYS.keys():
        section, key = _KEYS[field]
        value = getattr(options, field)
        if value is not None:
            sections[section][key] = value
    if metrics is not None:
        sections["verdict"]["metrics"] = tuple(metrics)
    try:
        sections["verdict"]["tolerance"] = {k: parse_tolerance(v) for k, v in (tolerance or {}).items()}
        return AIPerfConfig.model_validate(sections)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ConfigurationError(f"{'.'.join(map(str, problem['loc']))}: {plain_message(problem)}") from None
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def elsewhere(config: AIPerfConfig, urls: Sequence[str]) -> AIPerfConfig:
    """Return the configuration of the same measurement at other URLs.

    Raises:
        ConfigurationError: one of them cannot be used.
    """
    first, *further = urls
    given = config.endpoint.model_dump(by_alias=False) | {"url": first, "further_urls": tuple(further)}
    try:
        endpoint = EndpointConfig.model_validate(given)
    except ValidationError as error:
        raise ConfigurationError(f"against: {plain_message(error.errors(include_url=False)[0])}") from None
    return config.model_copy(update={"endpoint": endpoint})
