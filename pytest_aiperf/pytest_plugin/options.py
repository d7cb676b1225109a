"""PYTEST_DONT_REWRITE. The options as pytest sees them: declared, checked at start-up, read back as layers.

Everything comes from the generated table; pydantic is not imported here.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from pytest_aiperf.config.coercion import (
    parse_duration_s,
    parse_fraction,
    parse_headers,
    parse_mapping,
    parse_thresholds,
)
from pytest_aiperf.pytest_plugin.option_table import OPTIONS, Option

INI_ONLY: Final = {
    "aiperf_tolerance": "Allowed worsening by metric, one a line: ttft.p99 = 15% or 5ms",
    "aiperf_judge": "false measures without a baseline (default: true)",
}
_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")


def add_options(parser: pytest.Parser) -> None:
    """Declare every option and ini key."""
    group = parser.getgroup("aiperf", "performance of model-serving endpoints (pytest-aiperf)")
    for option in OPTIONS:
        _add(group, option)
        parser.addini(f"aiperf_{option.field}", option.help.replace("%%", "%"), default=None)
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
        problem = what_is_wrong(option, text)
        if problem:
            raise argparse.ArgumentTypeError(problem)
        return text

    return check


def what_is_wrong(option: Option, text: str) -> str | None:
    """Return why this text cannot be the option's value, None when it can."""
    if option.kind == "choice" and text not in option.choices:
        return f"{text!r} is not one of {', '.join(option.choices)}"
    if option.kind == "list" and (unknown := [t for t in _items(text) if t not in option.choices]):
        hint = f"; to name a test after it, write --aiperf-{option.flag}={option.bare}" if option.bare else ""
        return f"{unknown[0]!r} is not one of {', '.join(option.choices)}{hint}"
    if option.kind == "bool" and text.lower() not in (*_TRUE, *_FALSE):
        return f"{text!r} is neither true nor false"
    if option.kind == "str" and not text.strip():
        return "it is empty"
    if option.kind in _PARSERS:
        return _parsing_problem(option, text)
    if option.kind == "workers" and text.strip().lower() == "auto":
        return None
    if option.kind in ("int", "float", "duration", "fraction", "workers"):
        return _number_problem(option, text)
    return None


_PARSERS: Final = {"mapping": parse_mapping, "thresholds": parse_thresholds, "headers": parse_headers}


def _parsing_problem(option: Option, text: str) -> str | None:
    try:
        _PARSERS[option.kind](text)
    except ValueError as error:
        return str(error)
    return None


def _number_problem(option: Option, text: str) -> str | None:
    try:
        value = _number(option.kind, text.strip())
    except ValueError:
        return f"{text!r} is not {_NOUN[option.kind]}"
    least, over, most = option.bounds
    if option.kind == "workers":
        least = 1  # 0 is what ``auto`` becomes
    if not math.isfinite(value):
        return f"{text!r} is not finite"
    if least is not None and value < least:
        return f"must be at least {least:g}, got {text}"
    if over is not None and value <= over:
        return f"must be more than {over:g}, got {text}"
    if most is not None and value > most:
        return f"must be at most {most:g}, got {text}"
    return None


_NOUN: Final = {
    "int": "a whole number",
    "float": "a number",
    "workers": "a number of processes, or auto",
    "duration": "a time (write 90s, 5m or a number of seconds)",
    "fraction": "a share (write 10% or 0.1)",
}


def _number(kind: str, text: str) -> float:
    if kind in ("int", "workers"):
        return int(text)
    parse = {"duration": parse_duration_s, "fraction": parse_fraction}.get(kind, float)
    return float(parse(text))  # type: ignore[arg-type]  # a text always becomes a float, or a ValueError


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def check_ini(config: pytest.Config) -> None:
    """Raise a UsageError for an ini value or environment variable that cannot be; exit status 4, before collection."""
    for source, values in (("ini file", ini_values(config)), ("environment", environment_values())):
        for option in OPTIONS:
            text = values.get(option.field)
            problem = what_is_wrong(option, text) if isinstance(text, str) else None
            if problem:
                name = _name_in(source, option)
                raise pytest.UsageError(f"{source}: {name}: {problem}")


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
    return value.lower() in _TRUE if isinstance(value, str) else bool(value)


def categories_of(config: pytest.Config) -> frozenset[str]:
    """Return what ``--aiperf-update`` names."""
    return frozenset(_items(value_of(config, "update") or ""))


def tolerance_of(config: pytest.Config) -> Mapping[str, str]:
    """Return the ini file's tolerances by metric."""
    lines = config.getini("aiperf_tolerance") or []
    pairs = [line.partition("=") for line in lines]
    bad = next((line for line, (_, equals, _) in zip(lines, pairs, strict=True) if not equals), None)
    if bad is not None:
        raise pytest.UsageError(f"ini file: aiperf_tolerance: {bad!r} is not 'metric.statistic = 5%'")
    return {name.strip(): value.strip() for name, _, value in pairs}


def header(config: pytest.Config) -> str | None:
    """Return the header line; None when nothing of ours is in play."""
    given = {**ini_values(config), **environment_values(), **command_line_values(config)}
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


def skip_when_off(item: pytest.Item) -> None:
    """Skip a measuring test under ``--aiperf-mode=off``."""
    from pytest_aiperf.pytest_plugin.marker import measures

    if measures(item) and value_of(item.config, "mode") == "off":
        pytest.skip("--aiperf-mode=off")
