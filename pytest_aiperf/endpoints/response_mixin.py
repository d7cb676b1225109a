"""PYTEST_DONT_REWRITE. Reads answers of APIs that nobody wrote an endpoint for.

The user says where the result is, by a JMESPath query (https://jmespath.org) in the extra input ``response_field``.
Where there is no query, or it does not lead anywhere, the answer is looked through for the usual shapes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.endpoints.answer_shapes import Found, found_in
from pytest_aiperf.endpoints.base_endpoint import ModelEndpointInfo, ResponseFacts
from pytest_aiperf.endpoints.error_object import error_in, misshapen
from pytest_aiperf.endpoints.facts import facts_of_stream, facts_of_whole
from pytest_aiperf.endpoints.usage import usage_of

RESPONSE_FIELD: Final = "response_field"
_LOG: Final = logging.getLogger(__name__)
_QUERY_FAILS: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a query may raise on an answer that it was not made for; JMESPath's own errors are `ValueError`s."""


class JMESPathResponseMixin:
    """Stands to the left of `BaseEndpoint`, whose constructor has to run before `_init_response_parser`.

    A class that has it to the right stays abstract: it has no `read_stream` and no `read_response`.
    """

    model_endpoint: ModelEndpointInfo
    _query: Any = None
    _warned: bool = False

    def _init_response_parser(self) -> None:
        """Compile the query, once; a bad one is logged, and answers are then read as without it."""
        expression = self.model_endpoint.extra.get(RESPONSE_FIELD)
        if expression is None:
            return
        import jmespath

        try:
            self._query = jmespath.compile(expression)
        except _QUERY_FAILS as error:
            _LOG.error(
                "response_field %r is not a JMESPath query: %s. The result is looked for in the usual places instead; "
                "correct the query, or leave it out.",
                expression,
                " ".join(str(error).split()),
            )

    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read the decoded messages of a stream: those that hold a result which is not empty are its content."""
        content = []
        error = usage = None
        for i, message in enumerate(messages):
            found = self._found_in(message, streamed=True)
            if found is not None and not _is_empty(found.value):
                content.append(i)
            error = error or error_in(message)
            if isinstance(message, Mapping):
                usage = message.get("usage") or usage
        return facts_of_stream(
            content,
            finished=done,
            error=error,
            usage=usage_of(usage),
            first_output=0 if content else None,
        )

    def read_response(self, body: Any) -> ResponseFacts:
        """Read a whole answer: decoded JSON, or the text of one that is none."""
        error = error_in(body)
        if not error and self._found_in(body, streamed=False) is None:
            error = misshapen(
                "embeddings, rankings or text in any usual shape; say where its result is "
                f"(--aiperf-extra-inputs {RESPONSE_FIELD}:QUERY, a JMESPath query; @ is all of it)",
                body,
            )
        return facts_of_whole(error, usage_of(body.get("usage") if isinstance(body, Mapping) else None))

    def text_of(self, messages: Sequence[Any]) -> str:
        """Return the results of all messages, one after the other; what is not text as its JSON."""
        streamed = self.model_endpoint.streaming
        found = (self._found_in(message, streamed=streamed) for message in messages)
        return "".join(result.text for result in found if result is not None)

    def _found_in(self, message: Any, *, streamed: bool) -> Found | None:
        """Return the result in a message: ``0``, ``false`` and ``""`` are results, null is none.

        Of a stream, a message that the query finds nothing in is none of those that count: looked through for the
        usual shapes, it might seem to be one. A whole answer is the only one there is.
        """
        if self._query is not None and not isinstance(message, str):
            try:
                value = self._query.search(message)
            except _QUERY_FAILS as error:
                self._warn(error)
            else:
                if value is not None:
                    return Found("value", value)
                if streamed:
                    return None
        return found_in(message)

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True  # once: every answer of a load may be like this
            _LOG.warning(
                "response_field %r fails on an answer: %s. The result is looked for in the usual places instead.",
                self.model_endpoint.extra[RESPONSE_FIELD],
                error,
            )


def _is_empty(value: Any) -> bool:
    """An empty string, list or object; a number and a truth value never are."""
    return value is None or (isinstance(value, (str, list, dict)) and not value)
