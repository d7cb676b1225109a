"""PYTEST_DONT_REWRITE. Tells when the first content of an answer is there, while the rest still comes.

Only plans with a prefill limit pay for it: each read until then is decoded from the start of the answer. That is two
or three messages with most servers, for content is what they send first; reasoning and tool calls are content too.
"""

from __future__ import annotations

import orjson

from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.engine.sse import read_messages
from pytest_aiperf.engine.transport import Exchange


class FirstContent:
    """Reads the beginning of streams of one endpoint."""

    def __init__(self, endpoint: BaseEndpoint) -> None:
        self._endpoint = endpoint

    def has_come(self, exchange: Exchange) -> bool:
        """Return whether a message with content is complete. What cannot be read is none; its end will tell."""
        if not 200 <= exchange.status < 300:
            return False
        messages = []
        for payload in read_messages(exchange.parts).data:
            try:
                messages.append(orjson.loads(payload))
            except orjson.JSONDecodeError:
                break
        return bool(messages) and bool(self._endpoint.read_stream(messages, done=False).content)
