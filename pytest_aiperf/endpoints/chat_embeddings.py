"""PYTEST_DONT_REWRITE. Embeddings of a conversation, images included, as vLLM has them: messages in, a vector out."""

from __future__ import annotations

from typing import Any, ClassVar

from pytest_aiperf.endpoints.base_endpoint import EndpointFacts, RequestInfo
from pytest_aiperf.endpoints.messages import chat_messages
from pytest_aiperf.endpoints.openai_embeddings import EmbeddingsEndpoint


class ChatEmbeddingsEndpoint(EmbeddingsEndpoint):
    """``/v1/embeddings``, asked with messages."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="chat_embeddings",
        description="Embeddings of a conversation, as vLLM has them",
        supports_streaming=False,
        produces_tokens=False,
        tokenizes_input=True,
        supports_audio=True,
        supports_images=True,
        supports_videos=True,
        metrics_title="Embeddings Metrics",
    )

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body: the whole conversation, of which one vector is made."""
        native = {
            "model": request.turns[-1].model or request.model,
            "messages": chat_messages(request, "chat_embeddings"),
        }
        return self.merged(native, request)
