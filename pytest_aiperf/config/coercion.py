"""From what people type to values: durations, percentages, lists, key:value pairs. Nothing here checks ranges."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pytest_aiperf.common.header_values import must_be_reference

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "": 1.0}
_DURATION: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-z]*)\s*\Z", re.ASCII)
AUTO_WORKERS: Final = 0


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


def parse_thresholds(value: object) -> object:
    """Turn ``"ttft:400 itl:20"``, with spaces or commas between, or a JSON object into a dict of numbers."""
    if not isinstance(value, str) or value.lstrip().startswith("{"):
        return parse_mapping(value)
    pairs = dict(_pair(item) for item in re.split(r"[,\s]+", value) if item)
    for name, number in pairs.items():
        if not isinstance(number, (int, float)) or isinstance(number, bool):
            raise ValueError(f"{name}:{number}: {number!r} is not a number")
    return pairs


def parse_headers(value: object) -> object:
    """Turn ``"x-tenant: a, x-key: $KEY"`` or a JSON object into a dict of texts; mappings and None pass as dicts.

    Messages name the header and never show its value: it may be a secret.
    """
    headers = _header_pairs(value) if isinstance(value, str) else value
    if not isinstance(headers, Mapping):
        return headers
    for name, text in headers.items():
        if not isinstance(text, str):
            raise ValueError(f"the value of the header {name!r} is not a text")
        if must_be_reference(str(name), text):
            raise ValueError(
                f"the header {name!r} looks like a secret; put its value into the environment and write {name}:$NAME"
            )
    return dict(headers)


def _header_pairs(value: str) -> object:
    if value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("the headers begin like a JSON object but are none") from None
    pairs = [item.partition(":") for item in value.split(",") if item.strip()]
    if not all(colon and name.strip() for name, colon, _ in pairs):
        raise ValueError("headers are name:value pairs separated by commas, or a JSON object")
    return {name.strip(): text.strip() for name, _, text in pairs}


def parse_workers(value: object) -> object:
    """Turn ``auto`` into `AUTO_WORKERS`; numbers and their texts pass unchanged."""
    if value in (AUTO_WORKERS, str(AUTO_WORKERS)):
        raise ValueError("write a number of processes from 1, or auto")
    return AUTO_WORKERS if isinstance(value, str) and value.strip().lower() == "auto" else value


def parse_urls(value: str) -> list[str]:
    """Split ``"http://a, http://b"`` at its commas; a text without any is one URL, whatever it holds."""
    return [item.strip() for item in value.split(",") if item.strip()] or [value]


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
