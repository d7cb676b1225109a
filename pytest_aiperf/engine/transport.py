"""PYTEST_DONT_REWRITE. The seam between the load and what carries it: an exchange goes in, and comes out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from pytest_aiperf.common.records import ABSENT

CANCELLED_BY_PLAN: Final = "cancelled, as the plan has it"
CANCELLED_BY_CUT: Final = "cancelled: the run was cut short"


class Failure(NamedTuple):
    """Why an exchange did not end well. `message` names nothing that differs from request to request by itself."""

    type: str
    message: str
    code: int | None = None


class Exchange:
    """One request and what came back, raw: nothing is decoded while the answer is still coming.

    Stamps are CLOCK_REALTIME ns, 0 where never taken. `parts[i]` is a piece of the body and arrived at `stamps[i]`;
    pieces of one read share their stamp.
    """

    __slots__ = (
        "cancelled",
        "carrier",
        "connecting_ns",
        "conversation",
        "failure",
        "headers",
        "index",
        "last_of_conversation",
        "parts",
        "request",
        "slot",
        "stamps",
        "status",
        "t0",
        "t_end",
        "t_hdr",
        "t_plan",
        "t_sent",
        "watch",
    )

    def __init__(self, index: int, slot: int, request: bytes) -> None:
        self.index = index
        self.slot = slot
        self.request = request
        self.t_plan = 0
        self.t0 = 0
        self.t_sent = 0
        self.t_hdr = 0
        self.t_end = 0
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        """Those that say how to read the body, names in lower case."""
        self.parts: list[bytes] = []
        self.stamps: list[int] = []
        self.failure: Failure | None = None
        self.cancelled = False
        self.carrier: Any = None
        """The transport's own: what it has the exchange under way on, so that `cancel` need not search."""
        self.connecting_ns = 0
        """What connecting took for this exchange alone, TLS handshake included; 0 where a connection was open."""
        self.conversation = ABSENT
        self.last_of_conversation = True
        self.watch: Callable[[Exchange], None] | None = None
        """Called after each read of the body while the answer comes, `parts` and `stamps` as they are by then."""


class Transport(Protocol):
    """Sends exchanges.

    Each one that was given to `send` is handed to `on_end` exactly once, and never from within `send`.
    """

    name: str
    proxy: str | None
    """Host and port of the proxy in use."""

    @property
    def reopened(self) -> int:
        """Idle connections that the server had closed and that were opened again."""

    @property
    def timestamps(self) -> str:
        """``kernel``, ``user`` or ``mixed``: who took the receive stamps so far."""

    async def open(self, connections: int, on_end: Callable[[Exchange], None]) -> None:
        """Resolve the address and open this many connections.

        Raises:
            EndpointError: not one connection could be opened.
        """

    def send(self, exchange: Exchange) -> None:
        """Send this exchange's request now; never blocks."""

    def cancel(self, exchange: Exchange) -> None:
        """End this exchange as cancelled, if it is in flight; its connection is closed, as a client's would be."""

    def cancel_all(self) -> None:
        """End everything that is in flight as cancelled."""

    def end_conversation(self, conversation: int) -> None:
        """Close the connections that are kept for this conversation alone."""

    def close(self) -> None:
        """Close all connections. Nothing is handed out any more."""
