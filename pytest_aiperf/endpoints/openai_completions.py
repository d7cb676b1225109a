"""PYTEST_DONT_REWRITE. OpenAI completions: a prompt in, its continuation out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.choices import read_choices, read_whole
from pytest_aiperf.endpoints.error_object import MISSHAPEN
from pytest_aiperf.endpoints.messages import prompts_of
from pytest_aiperf.endpoints.usage import asking_for_usage


class CompletionsEndpoint(BaseEndpoint):
    """``/v1/completions``."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="completions",
        description="OpenAI completions, streamed or not",
        supports_streaming=True,
        produces_tokens=True,
        tokenizes_input=True,
        metrics_title="LLM Metrics",
    )

    path: ClassVar[str] = "/v1/completions"
    token_name: ClassVar[str] = "text"

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body: one prompt as a string, which some gateways insist on, several as a list."""
        turn = request.turns[-1]
        prompts = prompts_of(request, "completions")
        payload: dict[str, Any] = {
            "model": turn.model or request.model,
            "prompt": prompts[0] if len(prompts) == 1 else prompts,
            "stream": request.streaming,
        }
        if turn.max_tokens is not None:
            payload["max_tokens"] = turn.max_tokens
        return asking_for_usage(self.merged(payload, request))

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read the decoded messages of a stream; one that is not shaped like a chunk is an error of the stream."""
        return read_choices(
            messages, done=done, what="a completion chunk", has_content=lambda choice: choice.get("text")
        )

    def read_response(self, body: Any) -> ResponseFacts:
        """Read a whole answer: complete when it is there, be its text empty or not."""
        return read_whole(
            body,
            what="a completion",
            has_answer=lambda choice: isinstance(choice["text"], str),
            lacks="the answer holds no text",
        )

    def text_of(self, messages: Sequence[Any]) -> str:
        """Return the text of the first choice."""
        return "".join(_text(message) for message in messages)


def _text(message: Any) -> str:
    try:
        text = message["choices"][0]["text"]
    except MISSHAPEN:
        return ""
    return text if isinstance(text, str) else ""
