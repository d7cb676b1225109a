"""PYTEST_DONT_REWRITE. What is to be sent: everything is decided before the first byte leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

from pytest_aiperf.common.errors import ConfigurationError

_POSITIVE = (
    "concurrency",
    "connect_timeout_s",
    "request_timeout_s",
    "stall_timeout_s",
    "max_duration_s",
    "head_limit_bytes",
    "message_limit_bytes",
    "body_limit_bytes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """One run: the requests in their order, ready to send, and the rule by which they are sent.

    Raises:
        ConfigurationError: there is nothing to send, or a number is out of its range.
    """

    url: str
    """Where every request goes, path included: ``http://host:port/v1/chat/completions``."""
    bodies: Sequence[bytes]
    """``(n,)`` request bodies; the run sends each once, in this order."""
    concurrency: int
    """Closed loop: so many requests are in flight; a slot sends its next as soon as its last ended."""
    endpoint_type: str = "chat"
    """Registry name of the endpoint that reads the answers."""
    streaming: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further request headers. The API key is not among them: the load process adds it from its environment."""
    connect_timeout_s: float = 10.0
    request_timeout_s: float = 300.0
    """From the first byte sent to the end of the answer."""
    stall_timeout_s: float = 120.0
    """Longest silence: before the head, and between any two reads."""
    max_duration_s: float = 3600.0
    """The run is cut short after this long, and says so."""
    head_limit_bytes: int = 64 * 1024
    message_limit_bytes: int = 16 * 1024 * 1024
    body_limit_bytes: int = 1024 * 1024 * 1024

    def __post_init__(self) -> None:
        if not len(self.bodies):
            raise ConfigurationError("the plan holds no requests; give a request count of at least 1")
        for name in _POSITIVE:
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise ConfigurationError(f"{name} must be greater than 0 and finite, got {value}")

    def to_buffers(self) -> tuple[dict[str, Any], list[bytes]]:
        """Return a JSON-ready header and the bodies as buffers."""
        header = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "bodies"}
        return header | {"headers": dict(self.headers)}, [b"".join(self.bodies), _ends(self.bodies)]

    @classmethod
    def from_buffers(cls, header: Mapping[str, Any], buffers: Sequence[bytes | memoryview]) -> LoadPlan:
        """Rebuild what `to_buffers` took apart."""
        joined, ends = bytes(buffers[0]), memoryview(buffers[1]).cast("q")
        starts = [0, *ends[:-1]] if len(ends) else []
        return cls(bodies=[joined[a:b] for a, b in zip(starts, ends, strict=True)], **header)


def _ends(bodies: Sequence[bytes]) -> bytes:
    from array import array
    from itertools import accumulate

    return array("q", accumulate(map(len, bodies))).tobytes()
