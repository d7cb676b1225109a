"""PYTEST_DONT_REWRITE. Solido's retrieval-augmented answers: a query with filters in, a text and its sources out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, RequestInfo, ResponseFacts
from pytest_aiperf.endpoints.messages import prompts_of
from pytest_aiperf.endpoints.whole_answer import first_error, whole_answer


class SolidoEndpoint(BaseEndpoint):
    """``/rag/api/prompt``. A length cannot be asked for, and a stream ends without a word."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="solido_rag",
        description="Retrieval-augmented answers of Solido",
        supports_streaming=True,
        produces_tokens=True,
        tokenizes_input=True,
        metrics_title="SOLIDO RAG Metrics",
    )

    path: ClassVar[str] = "/rag/api/prompt"
    asks_length: ClassVar[bool] = False
    needs_finish: ClassVar[bool] = False

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body: all texts of its turn as the query.

        Raises:
            ConfigurationError: there is no text, or more than one turn.
        """
        native = {
            "query": prompts_of(request, "solido_rag"),
            "filters": {"family": "Solido", "tool": "SDE"},
            "inference_model": request.turns[-1].model or request.model,
        }
        return self.merged(native, request)

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read a stream: messages whose content is not empty are content."""
        error, code = first_error(messages)
        content = [i for i, message in enumerate(messages) if _content_of(message)]
        return ResponseFacts(
            content=content,
            finished=done,
            error_message=error,
            error_code=code,
            first_output=0 if content else None,
        )

    def read_response(self, body: Any) -> ResponseFacts:
        """Read an answer: good when it has content."""
        return whole_answer(body, what="an answer of Solido", has=_content_of)

    def text_of(self, messages: Sequence[Any]) -> str:
        """Return the content of all messages."""
        return "".join(_content_of(message) for message in messages)


def _content_of(message: Any) -> str:
    content = message.get("content") if isinstance(message, Mapping) else None
    return content if isinstance(content, str) else ""
