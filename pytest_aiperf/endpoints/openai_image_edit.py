"""PYTEST_DONT_REWRITE. OpenAI image edits: a prompt and images in, an image out. The images are uploaded in a form."""

from __future__ import annotations

from typing import Any, ClassVar

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import EndpointFacts, RequestInfo
from pytest_aiperf.endpoints.data_url import file_of
from pytest_aiperf.endpoints.form_data import FORM_DATA, encode_form
from pytest_aiperf.endpoints.messages import one_turn
from pytest_aiperf.endpoints.openai_image_generation import ImageGenerationEndpoint


class ImageEditEndpoint(ImageGenerationEndpoint):
    """``/v1/images/edits``. Its answers are those of image generation."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="image_edit",
        description="OpenAI image edits; images are uploaded",
        supports_streaming=True,
        streams_by_default=False,
        produces_tokens=False,
        tokenizes_input=True,
        supports_images=True,
        metrics_title="Image Edit Metrics",
    )

    path: ClassVar[str] = "/v1/images/edits"
    content_type: ClassVar[str] = FORM_DATA
    own_fields: ClassVar[frozenset[str]] = frozenset({"prompt", "image", "image[]", "url", "url[]", "mask"})

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the fields: images are uploaded, or named by ``url`` if they lie on a web server.

        Raises:
            ConfigurationError: there is no image or one that cannot be read, not one prompt, or more than one turn.
        """
        turn = one_turn(request, "image_edit", "images")
        if not turn.images:
            raise ConfigurationError(
                "an image edit needs an image, and this request has none: give images in the data, "
                "or --aiperf-image-width-mean and --aiperf-image-height-mean"
            )
        urls = [image for image in turn.images if image.lower().startswith(("http://", "https://"))]
        files = [file_of(image, kind="image") for image in turn.images if image not in urls]
        fields = self.prompted(request, turn)
        fields |= {name: _one_or_all(values) for name, values in (("image", files), ("url", urls)) if values}
        return self.merged(fields, request)

    def encode(self, payload: Any) -> bytes:
        """Return the bytes of the form."""
        return encode_form(payload)


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
