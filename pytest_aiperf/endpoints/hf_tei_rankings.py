"""PYTEST_DONT_REWRITE. Rankings as Hugging Face's Text Embeddings Inference has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pytest_aiperf.endpoints.base_endpoint import EndpointFacts
from pytest_aiperf.endpoints.base_rankings_endpoint import BaseRankingsEndpoint


class HfTeiRankingsEndpoint(BaseRankingsEndpoint):
    """``/rerank``. The server has one model, which requests do not name."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="hf_tei_rankings",
        description="Rankings by Hugging Face's Text Embeddings Inference",
        supports_streaming=False,
        produces_tokens=False,
        tokenizes_input=True,
        metrics_title="Ranking Metrics",
    )

    path: ClassVar[str] = "/rerank"
    names_model: ClassVar[bool] = False
    api: ClassVar[str] = "hf_tei_rankings"
    score_name: ClassVar[str] = "score"

    def build_payload(self, query: str, passages: list[str], model: str) -> dict[str, Any]:
        """Return the native fields of the body."""
        return {"query": query, "texts": passages}

    def extract_rankings(self, body: Any) -> Sequence[Any]:
        """Return the entries of a decoded answer, which is nothing but their list."""
        return body if isinstance(body, list) else ()
