"""From flat options to the validated whole. The only module outside the surfaces that reads `CLIConfig`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.endpoint_config import EndpointConfig
from pytest_aiperf.config.field_maps import KEYS
from pytest_aiperf.config.resolver import plain_message
from pytest_aiperf.config.tolerance import parse_tolerance


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
    for field in options.model_fields_set & KEYS.keys():
        section, key = KEYS[field]
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
        where = ".".join(map(str, problem["loc"]))
        raise ConfigurationError(": ".join(filter(None, [where, plain_message(problem)]))) from None
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
