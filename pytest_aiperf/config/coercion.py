"""From what people type to values: durations, percentages, lists, key:value pairs. Nothing here checks ranges."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "": 1.0}
_DURATION: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-z]*)\s*\Z", re.ASCII)


def parse_duration_s(value: object) -> object:
    """Turn ``120``, ``"90s"``, ``"5m"``, ``"1h"``, ``"250ms"`` into seconds; other types pass unchanged."""
    if not isinstance(value, str):
        return value
    match = _DURATION.match(value)
    if match is None or match[2] not in _UNITS_S:
        raise ValueError(f"{value!r} is not a time; write 90s, 5m or a number of seconds")
    return float(match[1]) * _UNITS_S[match[2]]


def parse_fraction(value: object) -> object:
    """Turn ``"5%"`` or ``"5 %"`` into 0.05; a bare number is a fraction already."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError(f"{value!r} is not a share; write 10% or 0.1") from None


def parse_str_or_list(value: object) -> object:
    """Turn ``"a, b"`` into ``["a", "b"]``; lists and None pass unchanged."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return list(value) if isinstance(value, (tuple, set, frozenset)) else value


def parse_mapping(value: object) -> object:
    """Turn ``"a:1,b:true"`` or a JSON object into a dict; mappings and None pass unchanged."""
    if not isinstance(value, str):
        return dict(value) if isinstance(value, Mapping) else value
    if value.lstrip().startswith("{"):
        return json.loads(value, parse_constant=_refuse_constant)
    return dict(_pair(item) for item in value.split(",") if item.strip())


def _pair(item: str) -> tuple[str, Any]:
    key, colon, text = item.partition(":")
    if not colon or not key.strip():
        raise ValueError(f"{item!r} is not key:value")
    try:
        return key.strip(), json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return key.strip(), text.strip()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")
