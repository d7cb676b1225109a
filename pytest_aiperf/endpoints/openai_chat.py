"""PYTEST_DONT_REWRITE. OpenAI chat completions, and what the many servers that speak it make of them.

Content is what a person would see or an agent would act on: text, reasoning, a tool call. The role that opens a
stream, empty deltas, and the usage at its end are messages too, but nothing that anybody waits for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.choices import facts_of_choices, read_choices, read_whole
from pytest_aiperf.endpoints.error_object import MISSHAPEN
from pytest_aiperf.endpoints.messages import chat_messages
from pytest_aiperf.endpoints.usage import asking_for_usage

_MISSHAPEN = (*MISSHAPEN, StopIteration)


class ChatEndpoint(BaseEndpoint):
    """``/v1/chat/completions``."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="chat",
        description="OpenAI chat completions, streamed or not",
        supports_streaming=True,
        produces_tokens=True,
        tokenizes_input=True,
        supports_audio=True,
        supports_images=True,
        supports_videos=True,
        metrics_title="LLM Metrics",
    )

    path: ClassVar[str] = "/v1/chat/completions"
    token_name: ClassVar[str] = "content"

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body. Usage is asked for unless an extra says otherwise.

        The length goes by `max_tokens`, which every server of the kind knows; where only `max_completion_tokens` is
        accepted (OpenAI's newer models), that is given as an extra.
        """
        last = request.turns[-1]
        payload: dict[str, Any] = {
            "model": last.model or request.model,
            "messages": chat_messages(request, "chat"),
            "stream": request.streaming,
        }
        tools = self._latest_turn_attr(request, "raw_tools")
        if tools is not None:
            payload["tools"] = tools
        if last.max_tokens is not None:
            payload["max_tokens"] = last.max_tokens
        return asking_for_usage(self.merged(payload, request))

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
        except _MISSHAPEN:
            return _read_carefully(messages, done)
        if not plain:
            return _read_carefully(messages, done)
        usage = None
        for message in reversed(messages):
            usage = message.get("usage")
            if usage:
                break
        return facts_of_choices(messages, content, True, None, usage, _first_output)

    def read_response(self, body: Any) -> ResponseFacts:
        """Read a whole answer: complete when it is there."""
        return read_whole(
            body,
            what="a chat completion",
            has_answer=lambda choice: choice["message"],
            lacks="the answer holds no message",
        )

    def text_of(self, messages: Sequence[Any]) -> str:
        """Return the text of the first choice."""
        return "".join(_text(message) for message in messages)


def _read_carefully(messages: Sequence[Any], done: bool) -> ResponseFacts:
    return read_choices(
        messages,
        done=done,
        what="a chat completion chunk",
        has_content=_has_content,
        first_output=_first_output,
    )


def _has_content(choice: Mapping[str, Any]) -> bool:
    delta = choice.get("delta")
    return bool(delta and (delta.get("content") or _is_other_content(delta)))


def _is_other_content(delta: Mapping[str, Any]) -> bool:
    """Reasoning, by either of the names that servers give it, or a tool call."""
    return bool(delta.get("reasoning_content") or delta.get("reasoning") or delta.get("tool_calls"))


def _first_output(messages: Sequence[Any], content: Sequence[int]) -> int | None:
    """Which content message is the first that is more than reasoning."""
    for nth, i in enumerate(content):
        delta = messages[i]["choices"][0]["delta"]
        if delta.get("content") or delta.get("tool_calls"):
            return nth
    return None


def _text(message: Any) -> str:
    """Text of a chunk or of a whole answer, which some servers write as parts."""
    try:
        choice = message["choices"][0]
        content = (choice.get("delta") or choice.get("message"))["content"]
        parts = [{"text": content}] if isinstance(content, str) else content or []
        return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    except MISSHAPEN:
        return ""
