"""PYTEST_DONT_REWRITE. How a secret looks when a server, a proxy or a traceback quotes it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 4
"""Shorter values are left alone: they would be found in every other word."""

_WRITTEN: Final[tuple[Callable[[str], str], ...]] = (
    quote,
    quote_plus,
    lambda text: quote(text, safe=""),
    html.escape,
    lambda text: html.escape(text, quote=False),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: text.replace("/", "\\/"),  # what PHP makes of it in JSON
    lambda text: text.replace("\\", "\\\\"),
    lambda text: text.replace("\\", "\\\\").replace("'", "\\'"),
)


def secret_forms(values: Iterable[str]) -> list[str]:
    """Return the texts by which these values can be told, the longest first.

    A value may come back whole or without its scheme (``Bearer``), escaped for a URL, HTML, JSON or Python, escaped
    twice (a header quoted in an error that is quoted in JSON), or in base64.
    """
    parts = {part for value in values for part in (value, *value.split()) if len(part) >= SHORTEST}
    once = {write(part) for part in parts for write in _WRITTEN}
    twice = {write(form) for form in once for write in _WRITTEN}
    return sorted(parts | once | twice | {_base64(part) for part in parts}, key=len, reverse=True)


def _base64(text: str) -> str:
    """Without the padding: what follows it in a longer text changes its last letters."""
    return base64.b64encode(text.encode()).decode().rstrip("=")
