"""PYTEST_DONT_REWRITE. The API key, and request headers whose values are secrets.

Configuration, plans and messages hold the name of a variable; its value is looked up where the requests are made.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from pytest_aiperf.common.errors import ConfigurationError

API_KEY_VARIABLE: Final = "AIPERF_API_KEY"
_VARIABLE: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_SECRET: Final = re.compile(r"auth|key|token|secret|cookie|password", re.IGNORECASE)


def api_key() -> str | None:
    """Return the key that the environment holds for the endpoint, if any."""
    return os.environ.get(API_KEY_VARIABLE) or None


def must_be_reference(name: str, value: str) -> bool:
    """Return whether this header is by its name a secret that was written down instead of ``$NAME``."""
    return _SECRET.search(name) is not None and _VARIABLE.fullmatch(value) is None


def header_values(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers as they are sent: ``$NAME`` is replaced by the value of this process's environment.

    Raises:
        ConfigurationError: the environment has no such variable.
    """
    return {name: _value(name, value) for name, value in headers.items()}


def secret_values(headers: Mapping[str, str]) -> list[str]:
    """Return what must never be shown: the values of secret headers, and all that come from the environment."""
    written = [value for name, value in headers.items() if _SECRET.search(name)]
    names = [match[1] for value in headers.values() if (match := _VARIABLE.fullmatch(value))]
    return [*written, *(value for name in names if (value := os.environ.get(name)))]


def _value(name: str, value: str) -> str:
    match = _VARIABLE.fullmatch(value)
    if match is None:
        return value
    found = os.environ.get(match[1])
    if not found:
        raise ConfigurationError(
            f"the header {name!r} takes its value from the environment, which has no {match[1]}"
        )
    return found
