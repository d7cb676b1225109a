"""PYTEST_DONT_REWRITE. Hugging Face's Text Generation Inference: its own API, a prompt in and its continuation out.

Token counts come with ``details``, which are asked for; those of a whole answer leave out the prompt's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pytest_aiperf.endpoints.base_endpoint import (
    BaseEndpoint,
    EndpointFacts,
    RequestInfo,
    ResponseFacts,
    check_streaming,
)
from pytest_aiperf.endpoints.error_object import MISSHAPEN, misshapen, misshapen_message
from pytest_aiperf.endpoints.facts import facts_of_stream, facts_of_whole
from pytest_aiperf.endpoints.messages import prompts_of
from pytest_aiperf.endpoints.usage import NO_USAGE, Usage, count_of


class HuggingFaceGenerateEndpoint(BaseEndpoint):
    """``/generate``, and ``/generate_stream`` where the answer is streamed."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="huggingface_generate",
        description="Hugging Face text generation inference, streamed or not",
        supports_streaming=True,
        produces_tokens=True,
        tokenizes_input=True,
        metrics_title="LLM Metrics",
    )

    path: ClassVar[str] = "/generate"
    stream_path: ClassVar[str | None] = "/generate_stream"
    names_model: ClassVar[bool] = False

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body: the user's extra inputs are `parameters`, a turn's extra stands beside these.

        A turn that gives ``parameters`` thereby gives all of them.
        """
        last = request.turns[-1]
        check_streaming(request.extra, request)
        parameters: dict[str, Any] = {"details": True}
        if last.max_tokens is not None:
            parameters["max_new_tokens"] = last.max_tokens
        payload = {
            "inputs": " ".join(prompts_of(request, "huggingface_generate")),
            "parameters": parameters | dict(request.extra),
        }
        return self.merged(payload, replace(request, extra={}))

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read the decoded messages of a stream: one token each, the last one with the whole text beside it."""
        content: list[int] = []
        finished = False
        details: Any = None
        error: Any = None
        i = -1
        try:
            for i, message in enumerate(messages):
                error = error or message.get("error")
                if "error" in message:
                    continue
                token = message["token"]
                if token["text"] and not token.get("special"):
                    content.append(i)
                finished = finished or message.get("generated_text") is not None
                details = message.get("details") or details
        except MISSHAPEN:
            error = misshapen_message(i, "a token of text generation", messages[i])
        return facts_of_stream(
            content,
            finished=finished,
            error=error,
            usage=_usage_of(details),
            first_output=0 if content else None,
        )

    def read_response(self, body: Any) -> ResponseFacts:
        """Read a whole answer: complete when it is there."""
        details: Any = None
        try:
            answer = body[0] if isinstance(body, list) else body  # as /, the path of an older API, has it
            error = answer.get("error")
            details = answer.get("details")
            if error is None and not isinstance(answer["generated_text"], str):
                error = misshapen("generated text", body)
        except MISSHAPEN:
            error = misshapen("generated text", body)
        return facts_of_whole(error, _usage_of(details))

    def text_of(self, messages: Sequence[Any]) -> str:
        """Return the generated text, without the special tokens that end it."""
        for message in reversed(messages):
            try:
                whole = (message[0] if isinstance(message, list) else message)["generated_text"]
            except MISSHAPEN:
                continue
            if isinstance(whole, str):
                return whole
        return ""


def _usage_of(details: Any) -> Usage:
    if not isinstance(details, dict):
        return NO_USAGE
    return Usage(count_of(details.get("input_length")), count_of(details.get("generated_tokens")))
