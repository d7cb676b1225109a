"""PYTEST_DONT_REWRITE. What holds for one measurement, of all the places in which an option may be given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.resolver import Layer, resolve
from pytest_aiperf.pytest_plugin import marker, options


def keywords_of(item: pytest.Item, overrides: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the keywords of `run` and of the markers, put together.

    Raises:
        ConfigurationError: one is unknown, or its value cannot be.
    """
    given = marker.merged_with(item, overrides)
    try:
        marker.check_keywords(given, "aiperf.run")
    except ConfigurationError as error:
        raise ConfigurationError(f"aiperf.run: {str(error).removeprefix('aiperf.run: ')}") from None
    return given


def resolved(item: pytest.Item, overrides: Mapping[str, Any], *, client_args: object) -> CLIConfig:
    """Return the options that hold: those of `run` before the markers', and so on.

    Raises:
        ConfigurationError: a name is unknown or a value out of range; the message says where it was given.
    """
    config = item.config
    return resolve(
        [
            Layer("aiperf.run", _of_a_load(overrides)),
            Layer("aiperf marker", _of_a_load(marker.merged(item))),
            Layer("aiperf_client_args", _load_options(client_args)),
            *options.session_layers(config),
        ]
    )


def update_of(item: pytest.Item, overrides: Mapping[str, Any]) -> frozenset[str]:
    """Return what is to be recorded: nothing by a test that compares two servers, whatever the session records."""
    if _of_a_load(overrides).get("against") or marker.merged(item).get("against"):
        return frozenset()
    return options.categories_of(item.config)


def tolerance_of_the_project(config: pytest.Config) -> Mapping[str, Any]:
    """Return the tolerances by metric of the ini file, and those that the configuration file has for other metrics.

    Raises:
        ConfigurationError: one cannot be read.
    """
    tolerance, file = options.tolerance_of(config), options.file_of(config)
    try:
        marker.check_keywords({"tolerance": tolerance}, "ini file")
    except ConfigurationError as error:
        raise ConfigurationError(f"ini file: aiperf_tolerance: {error}") from None
    return {**file.tolerance, **tolerance} if file else tolerance


def metrics_of_the_project(config: pytest.Config) -> Sequence[str] | None:
    """Return the judged metrics that the configuration file names; None without any."""
    file = options.file_of(config)
    return file.metrics if file else None


def _of_a_load(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in marker.LOAD}


def _load_options(given: object) -> Mapping[str, Any]:
    """Return what the fixture gave, when it is a mapping of load options.

    Raises:
        ConfigurationError: it is something else.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"the aiperf_client_args fixture gave {given!r}: return a mapping such as {{'osl': 64}}"
        )
    unknown = next((name for name in given if name not in marker.LOAD), None)
    if unknown is not None:
        hint = did_you_mean(str(unknown), marker.LOAD)
        raise ConfigurationError(
            f"the aiperf_client_args fixture gave an unknown option {unknown!r}{hint}: it takes the load options"
        )
    return given
