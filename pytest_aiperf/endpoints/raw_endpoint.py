"""PYTEST_DONT_REWRITE. Bodies that the data has as they are sent, to an API of which nothing is known."""

from __future__ import annotations

from typing import Any, ClassVar

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, EndpointFacts, ModelEndpointInfo, RequestInfo
from pytest_aiperf.endpoints.response_mixin import RESPONSE_FIELD, JMESPathResponseMixin


class RawEndpoint(JMESPathResponseMixin, BaseEndpoint):
    """The URL as it is given; nothing is added to a body."""

    facts: ClassVar[EndpointFacts | None] = EndpointFacts(
        name="raw",
        description="Bodies as the data has them, to the URL as it is",
        supports_streaming=True,
        streams_by_default=False,
        produces_tokens=True,
        tokenizes_input=True,
        supports_audio=True,
        supports_images=True,
        supports_videos=True,
        metrics_title="LLM Metrics",
    )

    path: ClassVar[str] = ""
    reads_text: ClassVar[bool] = True
    names_model: ClassVar[bool] = False
    needs_finish: ClassVar[bool] = False
    own_extra: ClassVar[frozenset[str]] = frozenset({RESPONSE_FIELD})

    def __init__(self, model_endpoint: ModelEndpointInfo) -> None:
        super().__init__(model_endpoint)
        self._init_response_parser()

    def format_payload(self, request: RequestInfo) -> Any:
        """Return the last turn's `raw_payload`, the very object.

        Raises:
            ConfigurationError: it has none.
        """
        raw = request.turns[-1].raw_payload
        if raw is None:
            raise ConfigurationError(
                "the endpoint type 'raw' sends bodies as the data has them, and a turn has none: give data of the type "
                "raw_payload or inputs_json (--aiperf-input-file), or choose the endpoint type of the API"
            )
        return raw
