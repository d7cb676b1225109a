"""PYTEST_DONT_REWRITE. Answers that are no text: vectors, rankings, images. A whole one is one content, index 0.

Of usage the tokens of the input alone are taken. What servers call completion tokens here is none of a text: 0 for a
vector, or what an image is billed as.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_aiperf.endpoints.base_endpoint import ResponseFacts
from pytest_aiperf.endpoints.error_object import MISSHAPEN, error_of, misshapen
from pytest_aiperf.endpoints.usage import NO_USAGE, Usage, usage_of


def whole_answer(body: Any, *, what: str, has: Callable[[Any], object]) -> ResponseFacts:
    """Return what a whole answer says. Never raises for what a server sent.

    Args:
        body: the decoded answer.
        what: what it should be, for the error that it is not: ``a list of embeddings``.
        has: tells by its truth whether the body holds that; it may raise anything of `MISSHAPEN`.
    """
    message, code = first_error([body])
    if message is None and not _holds(body, has):
        message = misshapen(what, body)
    if message is not None:
        return ResponseFacts((), finished=False, error_message=message, error_code=code, first_output=None)
    return ResponseFacts((0,), finished=True, input_tokens=usage_in(body).input)


def first_error(messages: Sequence[Any]) -> tuple[str | None, int | None]:
    """Return text and code of the first error that decoded answers or messages are or hold; two None without."""
    for message in messages:
        if isinstance(message, Mapping):
            error = message.get("error") or (message if "error" in _kinds(message) else None)
            if error:
                return error_of(error)
    return None, None


def usage_in(body: Any) -> Usage:
    """Return the token counts that a decoded answer or message holds."""
    return usage_of(body.get("usage")) if isinstance(body, Mapping) else NO_USAGE


def _kinds(message: Mapping[str, Any]) -> tuple[Any, Any]:
    return message.get("type"), message.get("object")


def _holds(body: Any, has: Callable[[Any], object]) -> bool:
    try:
        return bool(has(body))
    except MISSHAPEN:
        return False
