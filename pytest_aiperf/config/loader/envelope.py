"""A file as one whole configuration, and a configuration as a file that says the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.coercion import AUTO_WORKERS, parse_urls
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.config.field_maps import KEYS
from pytest_aiperf.config.loader.config_file import ConfigFile
from pytest_aiperf.config.loader.envelope_keys import SCHEMA_VERSION, VERSION_KEY, keys_by_option
from pytest_aiperf.config.loader.substitution import escaped
from pytest_aiperf.config.resolver import Layer, resolve

_ELSEWHERE: Final = "http://localhost"
"""Stands for a server that the file does not name, or that is started when a measurement begins."""
_EMBEDDED: Final = "mock:"


def whole_config(file: ConfigFile) -> AIPerfConfig:
    """Return what would be measured if nothing but this file said anything.

    Where the file names no server, or an embedded one, the URL stands for it.

    Raises:
        ConfigurationError: its parts do not fit together.
    """
    values = {option: value for option, value in file.values.items() if (option, value) != ("mode", "off")}
    options = resolve([Layer(file.shown, values, file.layer.places)])
    urls = [url for url in parse_urls(str(values.get("endpoint", ""))) if not url.startswith(_EMBEDDED)]
    try:
        return to_aiperf_config(
            options,
            url=urls if urls and urls != [""] else _ELSEWHERE,
            tolerance=file.tolerance,
            metrics=file.metrics,
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"{file.shown}: {error}") from None


def expanded(file: ConfigFile) -> str:
    """Return the file with everything filled in: variables, the environment, defaults.

    Raises:
        ConfigurationError: its parts do not fit together.
    """
    sections = _sections(whole_config(file))
    known = keys_by_option()
    for name in ("url", "furtherUrls"):
        sections["endpoint"].pop(name, None)
    if "endpoint" in file.values:
        sections["endpoint"] = {"url": file.values["endpoint"]} | sections["endpoint"]
    for option, value in file.values.items():
        if option not in {*KEYS, "endpoint"} or option == "mode":
            sections.setdefault(known[option].section, {})[known[option].shown] = value
    return _rendered(sections)


def dumped(config: AIPerfConfig) -> str:
    """Return a file that is read as the same configuration."""
    return _rendered(_sections(config))


def _sections(config: AIPerfConfig) -> dict[str, dict[str, Any]]:
    """Empty values are left out: what nobody gave is empty."""
    sections = config.model_dump(mode="json")
    if sections["load"]["workers"] == AUTO_WORKERS:
        sections["load"]["workers"] = "auto"
    return {
        name: {k: v for k, v in keys.items() if v not in (None, [], {})} for name, keys in sections.items()
    }


def _rendered(sections: Mapping[str, Mapping[str, Any]]) -> str:
    data = {VERSION_KEY: SCHEMA_VERSION} | {name: keys for name, keys in sections.items() if keys}
    return yaml.safe_dump(_escaped(data), sort_keys=False, allow_unicode=True)


def _escaped(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    return escaped(value) if isinstance(value, str) else value
