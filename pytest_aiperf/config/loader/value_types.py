"""What a value of YAML is, held against what an option takes: YAML has its own mind about ``off``, ``8`` and dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from pytest_aiperf.common.problems import Keys
from pytest_aiperf.config.coercion import parse_str_or_list, parse_thresholds
from pytest_aiperf.config.loader.marked_yaml import Finding, Marked, plain

_MAPPINGS: Final = ("mapping", "headers", "thresholds", "free")
_TEXTS: Final = ("str", "choice", "list", "headers")
_ANYTHING: Final = ("mapping", "free")


def value_for(kind: str, marked: Marked) -> Any:
    """Return the value of an option of this kind, as another place would give it.

    What came from the environment is a text there, and read in the same way; within a mapping it is what YAML makes of
    it. Lists are lists, so that each of their items can be looked at.
    """
    value = plain(marked) if kind in _ANYTHING else _as_typed_in(marked)
    if kind == "list":
        return parse_str_or_list(value)
    if kind == "thresholds" and isinstance(value, str):
        try:
            return parse_thresholds(value)
        except ValueError:
            return value  # the option's own check words it
    return value


def _as_typed_in(marked: Marked) -> Any:
    if isinstance(marked.value, dict):
        return {key: _as_typed_in(inner) for key, inner in marked.value.items()}
    if isinstance(marked.value, list):
        return [_as_typed_in(inner) for inner in marked.value]
    return marked.written if marked.substituted else marked.value


def wrong_types(kind: str, marked: Marked, keys: Keys) -> Iterator[Finding]:
    """Yield where YAML reads something else than was meant."""
    if isinstance(marked.value, dict) and kind in _MAPPINGS:
        for name, inner in marked.value.items():
            yield from wrong_types(kind, inner, (*keys, name))
    elif isinstance(marked.value, list) and (kind in _ANYTHING or kind == "list"):
        for inner in marked.value:
            yield from wrong_types(kind, inner, keys)
    elif isinstance(marked.value, (dict, list)):
        what = "mapping" if isinstance(marked.value, dict) else "list"
        yield Finding(keys=keys, line=marked.line, message=f"is a {what}; what it takes is {_NOUNS[kind]}")
    elif (read := _misread(kind, marked)) is not None:
        message = f"YAML reads {marked.written} as {read}; what it takes is {_NOUNS[kind]}"
        quotes = f": put it into quotes, '{marked.written}'" if kind in _TEXTS else ""
        yield Finding(keys=keys, line=marked.line, message=message + quotes)


def _misread(kind: str, marked: Marked) -> str | None:
    value = marked.value
    if (marked.substituted and kind not in _ANYTHING) or value is None or isinstance(value, str):
        return None
    if isinstance(value, bool):
        return None if kind in ("bool", *_ANYTHING) else str(value).lower()
    if isinstance(value, (int, float)):
        return "a number" if kind in _TEXTS else None
    return "a date" if isinstance(value, date) else f"a {type(value).__name__}"


_NOUNS: Final = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "duration": "a time, such as 90s",
    "fraction": "a share, such as 5%",
    "workers": "a number of processes, or auto",
    "str": "a text",
    "choice": "a text",
    "list": "a list of texts",
    "headers": "a text",
    "thresholds": "a number",
    "mapping": "a mapping",
    "free": "a text or a number",
}
