"""From flat options to the validated whole. The only module outside the surfaces that reads `CLIConfig`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.resolver import plain_message
from pytest_aiperf.config.tolerance import parse_tolerance

_KEYS: Final[Mapping[str, tuple[str, str]]] = {
    "model": ("endpoint", "model"),
    "endpoint_type": ("endpoint", "type"),
    "streaming": ("endpoint", "streaming"),
    "request_timeout": ("endpoint", "request_timeout_s"),
    "extra_inputs": ("endpoint", "extra"),
    "concurrency": ("load", "concurrency"),
    "request_count": ("load", "request_count"),
    "isl": ("input", "isl"),
    "osl": ("input", "osl"),
    "seed": ("input", "seed"),
    "mode": ("verdict", "mode"),
    "max_time": ("verdict", "max_time_s"),
    "max_mde": ("verdict", "max_mde"),
    "strict": ("verdict", "strict"),
}


def to_aiperf_config(
    options: CLIConfig,
    *,
    url: str,
    tolerance: Mapping[str, object] | None = None,
    metrics: Sequence[str] | None = None,
) -> AIPerfConfig:
    """Return the configuration of one measurement; an option that was not given emits nothing.

    Raises:
        ConfigurationError: the parts do not fit together; the message names the key.
    """
    sections: dict[str, dict[str, Any]] = {"endpoint": {"url": url}, "load": {}, "input": {}, "verdict": {}}
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
