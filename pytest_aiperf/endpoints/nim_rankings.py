"""PYTEST_DONT_REWRITE. Rankings as NVIDIA's NIM has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pytest_aiperf.endpoints.base_endpoint import EndpointFacts
from pytest_aiperf.endpoints.base_rankings_endpoint import BaseRankingsEndpoint


class NimRankingsEndpoint(BaseRankingsEndpoint):
    """``/v1/ranking``."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="nim_rankings",
        description="Rankings by an NVIDIA NIM",
        supports_streaming=False,
        produces_tokens=False,
        tokenizes_input=True,
        metrics_title="Ranking Metrics",
    )

    path: ClassVar[str] = "/v1/ranking"
    api: ClassVar[str] = "nim_rankings"
    score_name: ClassVar[str] = "logit"

    def build_payload(self, query: str, passages: list[str], model: str) -> dict[str, Any]:
        """Return the native fields of the body."""
        return {
            "model": model,
            "query": {"text": query},
            "passages": [{"text": passage} for passage in passages],
        }

    def extract_rankings(self, body: Any) -> Sequence[Any]:
        """Return the entries of a decoded answer."""
        entries: Sequence[Any] = body["rankings"]
        return entries
