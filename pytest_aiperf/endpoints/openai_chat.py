"""PYTEST_DONT_REWRITE. OpenAI chat completions, and what the many servers that speak it make of them.

Content is what a person would see or an agent would act on: text, reasoning, a tool call. The role that opens a
stream, empty deltas, and the usage at its end are messages too, but nothing that anybody waits for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, RequestInfo, ResponseFacts

_LARGEST_COUNT: Final = 2**31 - 1
_MISSHAPEN: Final = (AttributeError, TypeError, LookupError)
"""What looking into decoded JSON raises where it is not what the API says."""


class ChatEndpoint(BaseEndpoint):
    """``/v1/chat/completions``."""

    path: ClassVar[str] = "/v1/chat/completions"
    token_name: ClassVar[str] = "content"

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body: the native fields, then the endpoint's extra, then the last turn's; the last one wins.

        The length goes by `max_tokens`, which every server of the kind knows; where only `max_completion_tokens` is
        accepted (OpenAI's newer models), that is given as an extra. Usage is asked for unless an extra says
        otherwise.
        """
        last = request.turns[-1]
        payload: dict[str, Any] = {
            "model": last.model or request.model,
            "messages": [{"role": turn.role, "content": turn.text} for turn in request.turns],
            "stream": request.streaming,
        }
        if last.max_tokens is not None:
            payload["max_tokens"] = last.max_tokens
        payload |= request.extra
        payload |= last.extra_body
        options = payload.get("stream_options", {})
        if payload["stream"] and isinstance(options, Mapping):
            payload["stream_options"] = {"include_usage": True} | dict(options)
        return payload

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read the decoded messages of a stream; one that is not shaped like a chunk is an error of the stream.

        This is the hot path of a load, so a stream in which nothing is odd is read by the fewest look-ups: it takes
        a third of the time of the careful way.
        """
        try:
            odd = [message for message in messages if "error" in message]
            content = [
                i
                for i, message in enumerate(messages)
                if (choices := message["choices"])
                and (delta := choices[0]["delta"])
                and (delta.get("content") or _is_other_content(delta))
            ]
            closing = next(choices[0] for message in reversed(messages) if (choices := message["choices"]))
            plain = not odd and closing["finish_reason"]
        except (*_MISSHAPEN, StopIteration):
            return _read_carefully(messages, done)
        if not plain:
            return _read_carefully(messages, done)
        usage = None
        for message in reversed(messages):
            usage = message.get("usage")
            if usage:
                break
        return _facts(messages, content, True, None, usage)

    def read_response(self, body: Any) -> ResponseFacts:
        """Read a whole answer: complete when it is there."""
        try:
            error = body.get("error") or (body if body.get("object") == "error" else None)
            if error is None and not body["choices"][0]["message"]:
                error = "the answer holds no message"
            usage = body.get("usage")
        except _MISSHAPEN:
            error, usage = f"the answer is not a chat completion: {str(body)[:200]}", None
        return _facts((), [] if error else [0], error is None, error, usage)


def _read_carefully(messages: Sequence[Any], done: bool) -> ResponseFacts:
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
                delta = choices[0].get("delta")
                if delta and (delta.get("content") or _is_other_content(delta)):
                    content.append(i)
                finished = finished or bool(choices[0].get("finish_reason"))
                knows_reasons = knows_reasons or "finish_reason" in choices[0]
            elif message.get("object") == "error":
                error = error or message
            error = error or message.get("error")
            usage = message.get("usage") or usage
    except _MISSHAPEN:
        error = f"message {i + 1} is not a chat completion chunk: {str(messages[i])[:200]}"
    finished = finished or (done and not knows_reasons)
    return _facts(messages, content, finished, error, usage)


def _first_output(messages: Sequence[Any], content: Sequence[int]) -> int | None:
    """Which content message is the first that is more than reasoning."""
    for nth, i in enumerate(content):
        delta = messages[i]["choices"][0]["delta"]
        if delta.get("content") or delta.get("tool_calls"):
            return nth
    return None


def _first_tokens(messages: Sequence[Any], content: Sequence[int]) -> int:
    """Tokens of the first content message: 1 where the server does not count along."""
    usage = messages[content[0]].get("usage")
    return (_usage_of(usage).output or 1) if usage else 1


def _is_other_content(delta: Mapping[str, Any]) -> bool:
    """Reasoning, by either of the names that servers give it, or a tool call."""
    return bool(delta.get("reasoning_content") or delta.get("reasoning") or delta.get("tool_calls"))


def _facts(
    messages: Sequence[Any], content: list[int], finished: bool, error: Any, usage: Any
) -> ResponseFacts:
    """What the content says; `messages` is empty where the answer came whole."""
    message, code = _error_of(error) if error else (None, None)
    streamed = bool(content and messages)
    first_output = _first_output(messages, content) if streamed else (0 if content else None)
    first_tokens = _first_tokens(messages, content) if streamed else 1
    return ResponseFacts(content, finished, message, code, *_usage_of(usage), first_output, first_tokens)


def _error_of(error: Any) -> tuple[str, int | None]:
    """Text and code of an error object, which is an object by the book and a string in the field."""
    if not isinstance(error, Mapping):
        return str(error), None
    code = error.get("code")
    text = error.get("message") or error.get("type") or str(dict(error))
    return str(text), code if isinstance(code, int) and not isinstance(code, bool) else None


class _Usage(NamedTuple):
    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cached: int | None = None


_NO_USAGE: Final = _Usage()


def _usage_of(usage: Any) -> _Usage:
    if not isinstance(usage, dict):
        return _NO_USAGE
    told, given = usage.get("completion_tokens_details"), usage.get("prompt_tokens_details")
    return _Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(told.get("reasoning_tokens")) if isinstance(told, dict) else None,
        _count(given.get("cached_tokens")) if isinstance(given, dict) else None,
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _LARGEST_COUNT else None
