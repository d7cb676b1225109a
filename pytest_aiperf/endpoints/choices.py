"""PYTEST_DONT_REWRITE. Answers whose messages hold ``choices``: OpenAI's chat and completions, and all who speak them.

Only the first choice is read: where a request asks for several, their tokens come interleaved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_aiperf.endpoints.base_endpoint import ResponseFacts
from pytest_aiperf.endpoints.error_object import MISSHAPEN, error_of, misshapen, misshapen_message
from pytest_aiperf.endpoints.facts import facts_of_whole
from pytest_aiperf.endpoints.usage import usage_of

HasContent = Callable[[Mapping[str, Any]], object]
"""Tells by its truth whether a choice holds content; may raise anything of `MISSHAPEN`."""
FirstOutput = Callable[[Sequence[Any], Sequence[int]], int | None]
"""Tells which of the content messages is the first that is more than reasoning."""


def read_choices(
    messages: Sequence[Any],
    *,
    done: bool,
    what: str,
    has_content: HasContent,
    first_output: FirstOutput | None = None,
) -> ResponseFacts:
    """Read messages of any shape: errors, missing fields, a stream that is cut.

    [DONE] alone does not finish a stream: llama.cpp's server sends it after an answer that another request has
    interrupted. Only where a server knows no `finish_reason` at all is it taken for the end.
    """
    content: list[int] = []
    finished = knows_reasons = False
    usage: Any = None
    error: Any = None
    i = -1
    try:
        for i, message in enumerate(messages):
            choices = message.get("choices")
            if choices:
                if has_content(choices[0]):
                    content.append(i)
                finished = finished or bool(choices[0].get("finish_reason"))
                knows_reasons = knows_reasons or "finish_reason" in choices[0]
            elif message.get("object") == "error":
                error = error or message
            error = error or message.get("error")
            usage = message.get("usage") or usage
    except MISSHAPEN:
        error = misshapen_message(i, what, messages[i])
    finished = finished or (done and not knows_reasons)
    return facts_of_choices(messages, content, finished, error, usage, first_output)


def facts_of_choices(
    messages: Sequence[Any],
    content: list[int],
    finished: bool,
    error: Any,
    usage: Any,
    first_output: FirstOutput | None = None,
) -> ResponseFacts:
    """Return what a stream says whose messages were read."""
    text, code = error_of(error) if error else (None, None)
    if not content:
        return ResponseFacts(content, finished, text, code, *usage_of(usage), None)
    first = first_output(messages, content) if first_output is not None else 0
    counted = messages[content[0]].get("usage")
    first_tokens = (usage_of(counted).output or 1) if counted else 1  # 1: the server does not count along
    return ResponseFacts(content, finished, text, code, *usage_of(usage), first, first_tokens)


def read_whole(body: Any, *, what: str, has_answer: HasContent, lacks: str) -> ResponseFacts:
    """Read a whole answer: complete when it is there. `lacks` is the error of one whose first choice is empty."""
    usage: Any = None
    try:
        error = body.get("error") or (body if body.get("object") == "error" else None)
        if error is None and not has_answer(body["choices"][0]):
            error = lacks
        usage = body.get("usage")
    except MISSHAPEN:
        error = misshapen(what, body)
    return facts_of_whole(error, usage_of(usage))
