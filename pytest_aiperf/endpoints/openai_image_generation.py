"""PYTEST_DONT_REWRITE. OpenAI image generation: a prompt in, images out; streamed, each is preceded by drafts of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.content_parts import texts_of
from pytest_aiperf.endpoints.messages import one_turn
from pytest_aiperf.endpoints.whole_answer import first_error, usage_in, whole_answer


class ImageGenerationEndpoint(BaseEndpoint):
    """``/v1/images/generations``."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="image_generation",
        description="OpenAI image generation; drafts first, where it is streamed",
        supports_streaming=True,
        streams_by_default=False,
        produces_tokens=False,
        tokenizes_input=True,
        metrics_title="Image Generation Metrics",
    )

    path: ClassVar[str] = "/v1/images/generations"

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body. Size, number, format and number of drafts are extras.

        ``response_format`` is one of them: servers of diffusion models take it, and OpenAI's newer models refuse it.

        Raises:
            ConfigurationError: there is no prompt, several, or more than one turn.
        """
        return self.merged(self.prompted(request, one_turn(request, "image_generation")), request)

    def prompted(self, request: RequestInfo, turn: Turn) -> dict[str, Any]:
        """Return model, prompt, and whether to stream."""
        texts = texts_of(turn)
        if len(texts) != 1:
            raise ConfigurationError(
                f"a request for an image takes one prompt, and this one has {len(texts)} texts"
            )
        native = {"model": turn.model or request.model, "prompt": texts[0]}
        return native | {"stream": True} if request.streaming else native

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read a stream: drafts and finished images are content; it is finished with the first finished image."""
        error, code = first_error(messages)
        content = [i for i, message in enumerate(messages) if _has_image(message)]
        completed = [messages[i] for i in content if str(messages[i].get("type")).endswith(".completed")]
        return ResponseFacts(
            content=content,
            finished=bool(completed),
            error_message=error,
            error_code=code,
            input_tokens=usage_in(completed[-1]).input if completed else None,
            first_output=0 if content else None,
        )

    def read_response(self, body: Any) -> ResponseFacts:
        """Read an answer: good when each entry of its data is an image or the URL of one."""
        return whole_answer(body, what="a list of images", has=_has_images)


def _has_images(body: Any) -> bool:
    return bool(body["data"]) and all(entry.get("b64_json") or entry.get("url") for entry in body["data"])


def _has_image(message: Any) -> bool:
    return isinstance(message, dict) and bool(message.get("b64_json"))
