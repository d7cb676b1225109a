"""PYTEST_DONT_REWRITE. Errors that servers write into their answers, and answers that are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MISSHAPEN: Final = (AttributeError, TypeError, LookupError)
"""What looking into decoded JSON raises where it is not what the API says."""
_SHOWN: Final = 200
_TOO_DEEP: Final = "(nested too deeply to be shown)"


def error_of(error: Any) -> tuple[str, int | None]:
    """Text and code of an error object, which is an object by the book and a string in the field."""
    if not isinstance(error, Mapping):
        return _text(error), None
    code = error.get("code")
    text = error.get("message") or error.get("type") or dict(error)
    return _text(text), code if isinstance(code, int) and not isinstance(code, bool) else None


def error_in(answer: Any) -> Any:
    """Return the error that a decoded answer or message holds, or is; None without."""
    if not isinstance(answer, Mapping):
        return None
    return answer.get("error") or (answer if "error" in (answer.get("object"), answer.get("type")) else None)


def misshapen(what: str, value: Any) -> str:
    """Return the message for an answer that is not what the API says."""
    return f"the answer is not {what}: {_text(value)[:_SHOWN]}"


def misshapen_message(i: int, what: str, value: Any) -> str:
    """Return the message for the message of a stream, by its index, that is not what the API says."""
    return f"message {i + 1} is not {what}: {_text(value)[:_SHOWN]}"


def _text(value: Any) -> str:
    """Return decoded JSON as text; what is nested as deeply as JSON may be, Python cannot write."""
    try:
        return str(value)
    except RecursionError:
        return _TOO_DEEP
