"""PYTEST_DONT_REWRITE. Token counts as servers tell them, and how they are asked for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

_LARGEST_COUNT: Final = 2**31 - 1


class Usage(NamedTuple):
    """Token counts of one answer, in the order in which `ResponseFacts` has them; None: not told."""

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cached: int | None = None


NO_USAGE: Final = Usage()


def usage_of(usage: Any) -> Usage:
    """Read the usage object of OpenAI's APIs: chat and completions name the counts otherwise than responses do."""
    if not isinstance(usage, dict):
        return NO_USAGE
    if "input_tokens" in usage:
        given, told = usage["input_tokens"], usage.get("output_tokens")
        parts, kinds = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    else:
        given, told = usage.get("prompt_tokens"), usage.get("completion_tokens")
        parts, kinds = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return Usage(
        count_of(given),
        count_of(told),
        count_of(kinds.get("reasoning_tokens")) if isinstance(kinds, dict) else None,
        count_of(parts.get("cached_tokens")) if isinstance(parts, dict) else None,
    )


def count_of(value: Any) -> int | None:
    """Return a count that is one; None for what a server wrote in its place."""
    return value if type(value) is int and 0 <= value <= _LARGEST_COUNT else None


def asking_for_usage(body: dict[str, Any]) -> dict[str, Any]:
    """Return a streamed body that asks for usage, unless it says otherwise; any other body as it is.

    ``stream_options`` that are no object are left alone: what they mean is the user's business.
    """
    options = body.get("stream_options", {})
    if not (body["stream"] and isinstance(options, Mapping)):
        return body
    return body | {"stream_options": {"include_usage": True} | dict(options)}
