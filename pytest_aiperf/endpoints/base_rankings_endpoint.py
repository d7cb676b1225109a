"""PYTEST_DONT_REWRITE. What all rankings have in common: a query and passages in, a score for each passage out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.messages import one_turn
from pytest_aiperf.endpoints.whole_answer import whole_answer


class BaseRankingsEndpoint(BaseEndpoint):
    """A ranking: `text` of its turn is the query and `texts` are the passages. Never streamed."""

    api: ClassVar[str]
    """Its name in messages."""
    score_name: ClassVar[str]
    """Key of a passage's score."""

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body.

        Raises:
            ConfigurationError: the query or the passages are missing, or there is more than one turn.
        """
        turn = one_turn(request, self.api)
        if not turn.text or not turn.texts:
            missing = "query" if not turn.text else "passages"
            raise ConfigurationError(
                f"a ranking needs a query and passages, and this request has no {missing}"
            )
        native = self.build_payload(turn.text, list(turn.texts), turn.model or request.model)
        return self.merged(native, request)

    @abstractmethod
    def build_payload(self, query: str, passages: list[str], model: str) -> dict[str, Any]:
        """Return the native fields of the body."""

    @abstractmethod
    def extract_rankings(self, body: Any) -> Sequence[Any]:
        """Return the entries of a decoded answer; it may raise what looking into odd JSON raises."""

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read a stream, which these APIs do not have, as the whole answer that its first message may be."""
        return self.read_response(messages[0] if messages else None)

    def read_response(self, body: Any) -> ResponseFacts:
        """Read an answer: good when each of its entries has an index and a score."""
        return whole_answer(body, what="a ranking", has=self._has_scores)

    def _has_scores(self, body: Any) -> bool:
        entries = self.extract_rankings(body)
        return bool(entries) and all(
            entry["index"] is not None and entry[self.score_name] is not None for entry in entries
        )
