"""PYTEST_DONT_REWRITE. OpenAI embeddings: texts in, a vector for each of them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.messages import prompts_of
from pytest_aiperf.endpoints.whole_answer import whole_answer


class EmbeddingsEndpoint(BaseEndpoint):
    """``/v1/embeddings``. Never streamed."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="embeddings",
        description="OpenAI embeddings, several texts a request",
        supports_streaming=False,
        produces_tokens=False,
        tokenizes_input=True,
        metrics_title="Embeddings Metrics",
    )

    path: ClassVar[str] = "/v1/embeddings"

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body: all texts of the turn in one request.

        Raises:
            ConfigurationError: there is no text, or more than one turn.
        """
        native = {"model": request.turns[-1].model or request.model, "input": self.inputs(request)}
        return self.merged(native, request)

    def inputs(self, request: RequestInfo) -> list[str]:
        """Return what is to be embedded; a system prompt goes before each text, as an instruction to the model."""
        return prompts_of(request, "embeddings")

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read a stream, which this API does not have, as the whole answer that its first message may be."""
        return self.read_response(messages[0] if messages else None)

    def read_response(self, body: Any) -> ResponseFacts:
        """Read an answer: good when each entry of its data holds a vector, of numbers or in base64."""
        return whole_answer(body, what="a list of embeddings", has=_has_vectors)


def _has_vectors(body: Any) -> bool:
    return bool(body["data"]) and all(entry["embedding"] for entry in body["data"])
