"""PYTEST_DONT_REWRITE. Image retrieval as NVIDIA's NIM has it: images in; boxes, texts or tables found in them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.messages import one_turn
from pytest_aiperf.endpoints.whole_answer import whole_answer


class ImageRetrievalEndpoint(BaseEndpoint):
    """``/v1/infer``. Never streamed; the server has one model, which requests do not name."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="image_retrieval",
        description="What an NVIDIA NIM finds in images",
        supports_streaming=False,
        produces_tokens=False,
        tokenizes_input=False,
        supports_images=True,
        metrics_title="Image Retrieval Metrics",
    )

    path: ClassVar[str] = "/v1/infer"
    names_model: ClassVar[bool] = False

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body: the images of its turn.

        Raises:
            ConfigurationError: there are none, or more than one turn.
        """
        images = one_turn(request, "image_retrieval", "images").images
        if not images:
            raise ConfigurationError(
                "a request for image retrieval needs an image, and this one has none: give images in the data, "
                "or --aiperf-image-width-mean and --aiperf-image-height-mean"
            )
        return self.merged({"input": [{"type": "image_url", "url": image} for image in images]}, request)

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read a stream, which this API does not have, as the whole answer that its first message may be."""
        return self.read_response(messages[0] if messages else None)

    def read_response(self, body: Any) -> ResponseFacts:
        """Read an answer: good when it has an entry for the images, whatever was found in them."""
        return whole_answer(body, what="what was found in images", has=lambda body: body["data"])
