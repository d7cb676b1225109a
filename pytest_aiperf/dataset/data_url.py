"""PYTEST_DONT_REWRITE. Media inside a request: URLs that hold their data (RFC 2397)."""

from __future__ import annotations

import base64


def data_url(media_type: str, data: bytes) -> str:
    """Return the ``data:`` URL of these bytes."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
