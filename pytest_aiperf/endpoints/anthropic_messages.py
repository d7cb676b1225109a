"""PYTEST_DONT_REWRITE. Anthropic's messages API, which open servers speak too.

Its stream is a row of named events: a message begins, its blocks begin, grow by deltas and end, the message ends. Usage
comes in two parts, the prompt's with the beginning and the answer's with the end, and each part may repeat the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.content_parts import (
    Part,
    PartWriters,
    chat_text,
    content_of,
    media_type_and_data,
)
from pytest_aiperf.endpoints.error_object import MISSHAPEN, misshapen, misshapen_message
from pytest_aiperf.endpoints.facts import facts_of_stream, facts_of_whole
from pytest_aiperf.endpoints.messages import messages_of
from pytest_aiperf.endpoints.usage import NO_USAGE, Usage, count_of

DEFAULT_MAX_TOKENS: Final = 1024
"""The API wants a limit in every request."""
_TEXT_OF_DELTA: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}
"""Where each kind of delta has what a person would see or an agent would act on. A signature is neither."""
_REASONING: Final = frozenset({"thinking_delta", "redacted_thinking"})


class MessagesEndpoint(BaseEndpoint):
    """``/v1/messages``."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="messages",
        description="Anthropic messages, streamed or not",
        supports_streaming=True,
        produces_tokens=True,
        tokenizes_input=True,
        supports_images=True,
        metrics_title="LLM Metrics",
    )

    path: ClassVar[str] = "/v1/messages"
    key_header: ClassVar[str] = "x-api-key"
    headers: ClassVar[Mapping[str, str]] = {"anthropic-version": "2023-06-01"}

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body; without a length of its own a request asks for at most `DEFAULT_MAX_TOKENS`."""
        last = request.turns[-1]
        payload: dict[str, Any] = {
            "model": last.model or request.model,
            "max_tokens": DEFAULT_MAX_TOKENS if last.max_tokens is None else last.max_tokens,
            "messages": messages_of(request.turns, _message),
            "stream": request.streaming,
        }
        if request.system:
            payload["system"] = request.system
        tools = self._latest_turn_attr(request, "raw_tools")
        if tools is not None:
            payload["tools"] = tools
        return self.merged(payload, request)

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read the decoded events of a stream; one that is not shaped like an event is an error of the stream."""
        content: list[int] = []
        first_output: int | None = None
        usage: dict[str, Any] = {}
        finished = False
        error: Any = None
        i = -1
        try:
            for i, message in enumerate(messages):
                kind = message["type"]
                told = message.get("usage")
                if kind in ("content_block_delta", "content_block_start"):
                    piece = _piece_of(message)
                    if piece is not None:
                        if first_output is None and piece not in _REASONING:
                            first_output = len(content)
                        content.append(i)
                elif kind == "message_start":
                    told = message["message"].get("usage")
                elif kind == "message_delta":
                    finished = finished or bool(message["delta"].get("stop_reason"))
                elif kind == "message_stop":
                    finished = True
                elif kind == "error":
                    error = error or message.get("error") or message
                if told:
                    usage |= {name: value for name, value in told.items() if value is not None}
        except MISSHAPEN:
            error = misshapen_message(i, "an event of the messages API", messages[i])
        return facts_of_stream(
            content, finished=finished, error=error, usage=_usage_of(usage), first_output=first_output
        )

    def read_response(self, body: Any) -> ResponseFacts:
        """Read a whole answer: complete when it is there."""
        usage: Any = None
        try:
            error = body.get("error")
            if error is None:
                [block["type"] for block in body["content"]]
            usage = body.get("usage")
        except MISSHAPEN:
            error = misshapen("a message", body)
        return facts_of_whole(error, _usage_of(usage))

    def text_of(self, messages: Sequence[Any]) -> str:
        """Return the text of all text blocks."""
        return "".join(_text(message) for message in messages)


def _message(turn: Turn) -> Mapping[str, Any]:
    return {"role": turn.role, "content": content_of(turn, _PARTS, "messages")}


def _image(url: str) -> Part:
    found = media_type_and_data(url)
    if found is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = found
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


_PARTS: Final = PartWriters(chat_text, _image)


def _piece_of(event: Mapping[str, Any]) -> str | None:
    """Return the kind of what an event of a block adds to the answer; None where it adds nothing.

    A block may begin with text, though Anthropic's own never do; a call of a tool begins with its name; and thinking
    that is not shown comes as a whole.
    """
    if event["type"] == "content_block_delta":
        delta = event["delta"]
        name = _TEXT_OF_DELTA.get(delta["type"])
        return delta["type"] if name is not None and delta[name] else None
    block = event["content_block"]
    kind: str = block["type"]
    if kind.endswith("tool_use"):
        return kind if block.get("name") else None
    if kind == "redacted_thinking":
        return kind if block.get("data") else None
    if kind == "thinking":
        return "thinking_delta" if block.get("thinking") else None
    return kind if kind == "text" and block.get("text") else None


def _usage_of(usage: Any) -> Usage:
    """Read usage; its `input_tokens` are those that were neither read from the cache nor written to it."""
    if not isinstance(usage, dict):
        return NO_USAGE
    told = usage.get("output_tokens_details")
    cached = count_of(usage.get("cache_read_input_tokens"))
    rest = count_of(usage.get("input_tokens"))
    written = count_of(usage.get("cache_creation_input_tokens"))
    return Usage(
        None if rest is None else rest + (cached or 0) + (written or 0),
        count_of(usage.get("output_tokens")),
        count_of(told.get("thinking_tokens")) if isinstance(told, dict) else None,
        cached,
    )


def _text(message: Any) -> str:
    """Text of an event, or of a whole message."""
    try:
        if message["type"] == "content_block_delta":
            blocks = [message["delta"]]
        elif message["type"] == "content_block_start":
            blocks = [message["content_block"]]
        else:
            blocks = message["content"]
        return "".join(block["text"] for block in blocks if block["type"] in ("text", "text_delta"))
    except MISSHAPEN:
        return ""
