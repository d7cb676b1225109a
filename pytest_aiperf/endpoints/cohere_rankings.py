"""PYTEST_DONT_REWRITE. Rankings as Cohere has them, and after it vLLM, SGLang, Jina and llama.cpp's server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pytest_aiperf.endpoints.base_endpoint import EndpointFacts
from pytest_aiperf.endpoints.base_rankings_endpoint import BaseRankingsEndpoint


class CohereRankingsEndpoint(BaseRankingsEndpoint):
    """``/v2/rerank``."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="cohere_rankings",
        description="Rankings as Cohere has them, and vLLM, SGLang and llama.cpp",
        supports_streaming=False,
        produces_tokens=False,
        tokenizes_input=True,
        metrics_title="Ranking Metrics",
    )

    path: ClassVar[str] = "/v2/rerank"
    api: ClassVar[str] = "cohere_rankings"
    score_name: ClassVar[str] = "relevance_score"

    def build_payload(self, query: str, passages: list[str], model: str) -> dict[str, Any]:
        """Return the native fields of the body."""
        return {"model": model, "query": query, "documents": passages}

    def extract_rankings(self, body: Any) -> Sequence[Any]:
        """Return the entries of a decoded answer."""
        entries: Sequence[Any] = body["results"]
        return entries
