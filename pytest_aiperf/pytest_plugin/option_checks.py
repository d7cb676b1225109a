"""PYTEST_DONT_REWRITE. Can this text be an option's value? Imported when one is given: most sessions give none."""

from __future__ import annotations

import math
from typing import Final

from pytest_aiperf.config.coercion import (
    parse_duration_s,
    parse_fraction,
    parse_headers,
    parse_mapping,
    parse_thresholds,
    parse_urls,
)
from pytest_aiperf.config.registered_names import unknown_name
from pytest_aiperf.pytest_plugin.option_table import Option
from pytest_aiperf.pytest_plugin.options import FALSE, TRUE


def what_is_wrong(option: Option, text: str) -> str | None:
    """Return why this text cannot be the option's value, None when it can."""
    if option.field == "columns":
        return _column_problem(text)
    if option.kind == "choice" and text not in option.choices:
        return f"{text!r} is not one of {', '.join(option.choices)}"
    if (
        option.kind == "list"
        and option.choices
        and (unknown := [t for t in _items(text) if t not in option.choices])
    ):
        hint = f"; to name a test after it, write --aiperf-{option.flag}={option.bare}" if option.bare else ""
        return f"{unknown[0]!r} is not one of {', '.join(option.choices)}{hint}"
    if option.kind == "bool" and text.lower() not in (*TRUE, *FALSE):
        return f"{text!r} is neither true nor false"
    if option.kind == "str" and not text.strip():
        return "it is empty"
    if (problem := unknown_name(option.field, text)) is not None:
        return problem
    if option.metavar == "URL":
        return _url_problem(option, text)
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


def _url_problem(option: Option, text: str) -> str | None:
    """Only what must not be shown: whether it is a URL at all is told where it is used."""
    from pytest_aiperf.config.url_secrets import secret_in_proxy, secret_in_url

    if option.field == "proxy":
        return secret_in_proxy(text)
    return next(filter(None, map(secret_in_url, parse_urls(text))), None)


def _column_problem(text: str) -> str | None:
    from pytest_aiperf.common.errors import ConfigurationError
    from pytest_aiperf.exporters.columns import parse_columns

    try:
        parse_columns(text)
    except ConfigurationError as error:
        return str(error)
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
