"""How requests travel: the part of the plan that asking for the model and sending the load have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pytest_aiperf.config.endpoint_config import EndpointConfig
from pytest_aiperf.engine.plan import ConnectionReuse

_REUSE: Final[dict[str, ConnectionReuse]] = {
    "pooled": "pooled",
    "never": "never",
    "sticky-user-sessions": "sticky",
}


def connection_settings(endpoint: EndpointConfig) -> dict[str, Any]:
    """Return arguments of a `LoadPlan`."""
    timeout_s = endpoint.request_timeout_s
    return {
        "headers": endpoint.headers,
        "transport": endpoint.transport,
        "connection_reuse": _REUSE[endpoint.connection_reuse_strategy],
        "connect_timeout_s": endpoint.connect_timeout_s,
        "first_byte_timeout_s": endpoint.first_byte_timeout_s or timeout_s,
        "stall_timeout_s": endpoint.stall_timeout_s or timeout_s,
        "request_timeout_s": timeout_s,
        "insecure": endpoint.insecure,
        "ca_file": _absolute(endpoint.ca_file),
        "client_certificate": _absolute(endpoint.client_certificate),
        "client_key": _absolute(endpoint.client_key),
        "proxy": endpoint.proxy,
    }


def _absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).expanduser().absolute())
