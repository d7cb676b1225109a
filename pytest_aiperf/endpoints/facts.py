"""PYTEST_DONT_REWRITE. From what was read of an answer to the facts that the engine takes."""

from __future__ import annotations

from typing import Any

from pytest_aiperf.endpoints.base_endpoint import ResponseFacts
from pytest_aiperf.endpoints.error_object import error_of
from pytest_aiperf.endpoints.usage import Usage


def facts_of_stream(
    content: list[int],
    *,
    finished: bool,
    error: Any,
    usage: Usage,
    first_output: int | None,
    first_tokens: int = 1,
) -> ResponseFacts:
    """Return what a stream says; `error` is an error object, a text, or None."""
    text, code = error_of(error) if error else (None, None)
    return ResponseFacts(content, finished, text, code, *usage, first_output, first_tokens)


def facts_of_whole(error: Any, usage: Usage) -> ResponseFacts:
    """Return what a whole answer says: one content, unless there is an error in its place."""
    text, code = error_of(error) if error else (None, None)
    content, first = ([], None) if error else ([0], 0)
    return ResponseFacts(content, not error, text, code, *usage, first)
