"""Acme's chat API: OpenAI's, with one more field in each request."""

from __future__ import annotations

from typing import Any

from pytest_aiperf.endpoints.base_endpoint import RequestInfo
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint


class AcmeChat(ChatEndpoint):
    """A `BaseEndpoint`: it formats requests and reads answers; what carries them is none of its business."""

    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the body of a request. The user's own fields win, as everywhere."""
        return {"service_tier": "acme-priority"} | super().format_payload(request)
