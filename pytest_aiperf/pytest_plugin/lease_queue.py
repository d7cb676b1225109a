"""Whose turn it is: who holds a lease, who waits for it, and in which order.

Readers and writers: a measurement takes the machine alone (``exclusive``), every other test shares it. Measurements
come first: once one waits, no further test is let in, else a steady trickle of short tests would put it off for ever.
Among themselves they go in the order of their asking. A test that has let `PATIENCE` of them go first is next, and all
tests that wait with it: else two workers that measure one thing after the other would keep the others idle to the end.
To let tests in after each measurement would be fairer, and slower: they would run one at a time, where they could run
side by side.

Standard library only: every xdist session imports this.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

PATIENCE: Final = 8
"""So many measurements go before a test that waits."""


class Client:
    """A connection: unknown at first, then waiting, then holding."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unread = b""
        self.resource: str | None = None
        """None until it has asked, with the right token."""
        self.exclusive = False
        self.owner = ""
        self.passed_by = 0
        """So many measurements went first while it waited."""


class Resource:
    """Who holds one resource and who waits for it."""

    def __init__(self) -> None:
        self.holders: list[Client] = []
        self.waiting: deque[Client] = deque()
        self.unreported: str | None = None
        """Whose report must have been read before anybody is let in."""
        self.report_by_s = 0.0

    def grantable(self) -> Iterator[Client]:
        """Move those whose turn it is from the waiting to the holders, and yield them."""
        if self.unreported is not None and time.monotonic() < self.report_by_s:
            return
        self.unreported = None
        while self.waiting and not any(holder.exclusive for holder in self.holders):
            group = self._next()
            if group[0].exclusive:
                if self.holders:
                    return
                self._count_pass()
            for client in group:
                self.waiting.remove(client)
                self.holders.append(client)
                yield client

    def _count_pass(self) -> None:
        for client in self.waiting:
            client.passed_by += not client.exclusive

    def _next(self) -> Sequence[Client]:
        """Return a measurement, or all tests that wait."""
        measurement = next((client for client in self.waiting if client.exclusive), None)
        tests = [client for client in self.waiting if not client.exclusive]
        if measurement is None or any(test.passed_by >= PATIENCE for test in tests):
            return tests
        return [measurement]
