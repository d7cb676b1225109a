"""PYTEST_DONT_REWRITE. Embeddings as NVIDIA's NIM has them: images too, and texts that are queries or passages."""

from __future__ import annotations

from typing import Any, ClassVar

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import EndpointFacts, RequestInfo
from pytest_aiperf.endpoints.content_parts import texts_of
from pytest_aiperf.endpoints.messages import one_turn, prompts_of
from pytest_aiperf.endpoints.openai_embeddings import EmbeddingsEndpoint


class NimEmbeddingsEndpoint(EmbeddingsEndpoint):
    """``/v1/embeddings`` of a NIM."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="nim_embeddings",
        description="Embeddings of texts and images by an NVIDIA NIM",
        supports_streaming=False,
        produces_tokens=False,
        tokenizes_input=True,
        supports_images=True,
        metrics_title="NIM Embeddings Metrics",
    )

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body; ``input_type`` is ``query``, or ``passage`` where there are images, which a query has not.

        A model whose name ends in ``-query`` or ``-passage`` says so itself and is asked without.
        """
        payload = super().format_payload(request)
        if "input_type" in payload or str(payload["model"]).endswith(("-query", "-passage")):
            return payload
        return payload | {"input_type": "passage" if request.turns[-1].images else "query"}

    def inputs(self, request: RequestInfo) -> list[str]:
        """Return texts, images as ``data:`` URLs, or pairs of both: a text, a blank, the image's URL.

        Raises:
            ConfigurationError: there are texts and images, but not one for each.
        """
        turn = one_turn(request, "nim_embeddings", "images")
        texts, images = texts_of(turn), list(turn.images)
        if not images:
            return prompts_of(request, "nim_embeddings")
        if texts and len(texts) != len(images):
            raise ConfigurationError(
                f"{len(texts)} texts and {len(images)} images cannot be embedded in pairs: give as many of each, "
                "or one kind alone"
            )
        return [f"{text} {image}" for text, image in zip(texts, images, strict=True)] if texts else images
