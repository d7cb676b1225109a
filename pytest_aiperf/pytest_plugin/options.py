"""PYTEST_DONT_REWRITE. The options as pytest sees them: declared, checked at start-up, read back as layers.

Everything comes from the generated table; pydantic is not imported here.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from pytest_aiperf.pytest_plugin.option_table import OPTIONS, Option

INI_ONLY: Final = {
    "aiperf_tolerance": "Allowed worsening by metric, one a line: ttft.p99 = 15% or 5ms",
    "aiperf_judge": "false measures without a baseline (default: true)",
}
TRUE: Final = ("true", "yes", "on", "1")
FALSE: Final = ("false", "no", "off", "0")


def add_options(parser: pytest.Parser) -> None:
    """Declare every option and ini key."""
    group = parser.getgroup("aiperf", "performance of model-serving endpoints (pytest-aiperf)")
    for option in OPTIONS:
        _add(group, option)
        parser.addini(f"aiperf_{option.field}", f"as --aiperf-{option.flag}", default=None)
    parser.addini("aiperf_tolerance", INI_ONLY["aiperf_tolerance"], type="linelist", default=[])
    parser.addini("aiperf_judge", INI_ONLY["aiperf_judge"], default="true")


def _add(group: Any, option: Option) -> None:
    flag, dest = f"--aiperf-{option.flag}", f"aiperf_{option.field}"
    if option.kind == "bool":
        group.addoption(flag, dest=dest, action="store_true", default=None, help=option.help)
        group.addoption(f"--aiperf-no-{option.flag}", dest=dest, action="store_false", help=argparse.SUPPRESS)
        return
    shown = option.metavar if option.kind != "choice" else "|".join(option.choices)
    extra: dict[str, Any] = {"nargs": "?", "const": option.bare} if option.bare is not None else {}
    group.addoption(
        flag, dest=dest, default=None, metavar=shown, type=_checker(option), help=option.help, **extra
    )


def _checker(option: Option) -> Callable[[str], str]:
    def check(text: str) -> str:
        problem = _problem(option, text)
        if problem:
            raise argparse.ArgumentTypeError(problem)
        return text

    return check


def check_ini(config: pytest.Config) -> None:
    """Raise a UsageError for an ini value or environment variable that cannot be; exit status 4, before collection."""
    for source, values in (("ini file", ini_values(config)), ("environment", environment_values())):
        for option in OPTIONS if values else ():
            text = values.get(option.field)
            problem = _problem(option, text) if isinstance(text, str) else None
            if problem:
                name = _name_in(source, option)
                raise pytest.UsageError(f"{source}: {name}: {problem}")
    tolerance_of(config)
    judges(config)


def _problem(option: Option, text: str) -> str | None:
    """Return why a text cannot be the option's value; what it takes to tell is imported where one is given."""
    from pytest_aiperf.pytest_plugin.option_checks import what_is_wrong

    return what_is_wrong(option, text)


def _name_in(source: str, option: Option) -> str:
    return f"AIPERF_{option.field.upper()}" if source == "environment" else f"aiperf_{option.field}"


def command_line_values(config: pytest.Config) -> Mapping[str, Any]:
    """Return the options given on the command line, by field."""
    given = {o.field: config.getoption(f"aiperf_{o.field}", None) for o in OPTIONS}
    return {field: value for field, value in given.items() if value is not None}


def environment_values() -> Mapping[str, str]:
    """Return the options given in the environment, by field: ``AIPERF_<FIELD>``."""
    given = {o.field: os.environ.get(f"AIPERF_{o.field.upper()}") for o in OPTIONS}
    return {field: value for field, value in given.items() if value}


def ini_values(config: pytest.Config) -> Mapping[str, Any]:
    """Return the options given in the ini file, by field."""
    given = {o.field: config.getini(f"aiperf_{o.field}") for o in OPTIONS}
    return {field: value for field, value in given.items() if value not in (None, "", [])}


def value_of(config: pytest.Config, field: str) -> Any:
    """Return one plugin-level option as text (or bool) by precedence: command line, environment, ini; else None."""
    for values in (command_line_values(config), environment_values(), ini_values(config)):
        if field in values:
            return values[field]
    return None


def flag_of(config: pytest.Config, field: str) -> bool:
    """Return a boolean plugin-level option."""
    value = value_of(config, field)
    return value.lower() in TRUE if isinstance(value, str) else bool(value)


def categories_of(config: pytest.Config) -> frozenset[str]:
    """Return what ``--aiperf-update`` names."""
    return frozenset(item for text in (value_of(config, "update") or "").split(",") if (item := text.strip()))


def tolerance_of(config: pytest.Config) -> Mapping[str, str]:
    """Return the ini file's tolerances by metric.

    Raises:
        UsageError: a line is no pair; whether its parts can be is checked when a test measures.
    """
    lines = config.getini("aiperf_tolerance") or []
    pairs = [line.partition("=") for line in lines]
    bad = next((line for line, (_, equals, _) in zip(lines, pairs, strict=True) if not equals), None)
    if bad is not None:
        raise pytest.UsageError(f"ini file: aiperf_tolerance: {bad!r} is not 'metric.statistic = 5%'")
    return {name.strip(): value.strip() for name, _, value in pairs}


def judges(config: pytest.Config) -> bool:
    """Tell whether tests are judged that say nothing about it: the ini key ``aiperf_judge``.

    Raises:
        UsageError: it is neither true nor false.
    """
    text = str(config.getini("aiperf_judge")).lower() or "true"  # the `false` of a TOML file comes as "False"
    if text not in (*TRUE, *FALSE):
        raise pytest.UsageError(f"ini file: aiperf_judge: {text!r} is neither true nor false")
    return text in TRUE


def options_given(config: pytest.Config) -> Mapping[str, Any]:
    """Return every option that is given anywhere, by field."""
    return {**ini_values(config), **environment_values(), **command_line_values(config)}


def header(config: pytest.Config) -> str | None:
    """Return the header line; None when nothing of ours is in play."""
    given = options_given(config)
    if not given:
        return None
    endpoint = given.get("endpoint", "no endpoint")
    mode = "record" if categories_of(config) else given.get("mode", "check")
    shown = [
        key if key == "headers" else f"{key}={value}"  # what a header holds may be meant for the server alone
        for key, value in given.items()
        if key not in ("endpoint", "mode", "update")
    ]
    return f"aiperf: {', '.join([str(endpoint), str(mode), *shown])}"


def skip_when_off(config: pytest.Config) -> None:
    """Skip the test that calls it under ``--aiperf-mode=off``."""
    if value_of(config, "mode") == "off":
        pytest.skip("--aiperf-mode=off")
