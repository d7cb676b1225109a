"""PYTEST_DONT_REWRITE. OpenAI's responses API.

Its stream is a row of typed events. Everything that the model writes comes as the ``delta`` of an event whose type ends
so, whichever kind of output it belongs to; what is complete is told once more as a whole, and is nothing new then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.content_parts import Part, PartWriters, chat_audio, content_of
from pytest_aiperf.endpoints.error_object import MISSHAPEN, misshapen, misshapen_message
from pytest_aiperf.endpoints.facts import facts_of_stream, facts_of_whole
from pytest_aiperf.endpoints.messages import messages_of
from pytest_aiperf.endpoints.usage import usage_of

_LAST: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_REASONING: Final = "response.reasoning"
_TEXT_DELTA: Final = "response.output_text.delta"
_TEXT_DONE: Final = "response.output_text.done"
_ENDED: Final = frozenset({"completed", "incomplete"})
"""A response that reached its longest length is incomplete, which is what a load asks for."""


class ResponsesEndpoint(BaseEndpoint):
    """``/v1/responses``."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="responses",
        description="OpenAI responses, streamed or not",
        supports_streaming=True,
        produces_tokens=True,
        tokenizes_input=True,
        supports_audio=True,
        supports_images=True,
        metrics_title="LLM Metrics",
    )

    path: ClassVar[str] = "/v1/responses"

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body. Usage need not be asked for: every answer tells it."""
        last = request.turns[-1]
        payload: dict[str, Any] = {
            "model": last.model or request.model,
            "input": messages_of(request.turns, _item),
            "stream": request.streaming,
        }
        if request.system:
            payload["instructions"] = request.system
        tools = self._latest_turn_attr(request, "raw_tools")
        if tools is not None:
            payload["tools"] = tools
        if last.max_tokens is not None:
            payload["max_output_tokens"] = last.max_tokens
        return self.merged(payload, request)

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read the decoded events of a stream; one that is not shaped like an event is an error of the stream."""
        deltas: list[int] = []
        wholes: list[int] = []
        finished = False
        usage: Any = None
        error: Any = None
        i = -1
        try:
            for i, message in enumerate(messages):
                kind = message["type"]
                if kind.endswith(".delta"):
                    if message["delta"]:
                        deltas.append(i)
                elif kind == _TEXT_DONE:
                    if message["text"]:
                        wholes.append(i)
                elif kind in _LAST:
                    response = message["response"]
                    finished = finished or response.get("status", "completed") in _ENDED
                    usage = response.get("usage")
                    error = error or _failure_of(response, kind.removeprefix("response."))
                elif kind == "error":
                    error = error or message.get("error") or message
        except MISSHAPEN:
            error = misshapen_message(i, "an event of the responses API", messages[i])
        content = deltas or wholes  # a server may leave out the deltas
        first = next(
            (nth for nth, i in enumerate(content) if not messages[i]["type"].startswith(_REASONING)), None
        )
        return facts_of_stream(
            content, finished=finished, error=error, usage=usage_of(usage), first_output=first
        )

    def read_response(self, body: Any) -> ResponseFacts:
        """Read a whole answer: complete when it says so."""
        usage: Any = None
        try:
            status = body.get("status", "completed")
            error = body.get("error") or _failure_of(body, status)
            if error is None:
                [item["type"] for item in body["output"]]
            usage = body.get("usage")
        except MISSHAPEN:
            error = misshapen("a response", body)
        return facts_of_whole(error, usage_of(usage))

    def text_of(self, messages: Sequence[Any]) -> str:
        """Return the text of all messages in the output."""
        streamed = "".join(_field(message, _TEXT_DELTA, "delta") for message in messages)
        return streamed or "".join(
            _field(message, _TEXT_DONE, "text") or _whole_text(message) for message in messages
        )


def _item(turn: Turn) -> Mapping[str, Any]:
    writers = _ANSWER_PARTS if turn.role == "assistant" else _PARTS
    return {"type": "message", "role": turn.role, "content": content_of(turn, writers, "responses")}


def _input_text(text: str) -> Part:
    return {"type": "input_text", "text": text}


def _output_text(text: str) -> Part:
    return {"type": "output_text", "text": text}


def _image(url: str) -> Part:
    return {"type": "input_image", "image_url": url}


_PARTS: Final = PartWriters(_input_text, _image, chat_audio)
_ANSWER_PARTS: Final = PartWriters(_output_text)


def _failure_of(response: Mapping[str, Any], status: str) -> Any:
    """Return why a response did not come to its end; None if it did."""
    if response.get("status", status) in _ENDED:
        return None
    return response.get("error") or f"the response is {response.get('status', status)}"


def _field(message: Any, kind: str, name: str) -> str:
    """Return this string of an event of this kind."""
    try:
        text = message[name] if message["type"] == kind else ""
    except MISSHAPEN:
        return ""
    return text if isinstance(text, str) else ""


def _whole_text(body: Any) -> str:
    try:
        parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
        return "".join(part["text"] for part in parts if part["type"] == "output_text")
    except MISSHAPEN:
        return ""
