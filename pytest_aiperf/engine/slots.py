"""PYTEST_DONT_REWRITE. The closed loop: C slots, each of which sends its next request as soon as its last ended.

Sending comes first and reading the finished answer second, in a turn of the loop of its own: when many answers end
at once, no slot waits for another one's JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pytest_aiperf.engine.request_bytes import RequestBytes
from pytest_aiperf.engine.transport import Exchange, Transport


class Slots:
    """Sends every request once, in order, and hands each finished exchange to `record`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        requests: RequestBytes,
        transport: Transport,
        record: Callable[[Exchange], None],
    ) -> None:
        self._loop = loop
        self._requests = requests
        self._transport = transport
        self._record = record
        self._planned = len(requests)
        self._finished: list[Exchange] = []
        self._in_flight = 0
        self._ready = requests[0]
        self.sent = 0
        self.drain_ns: int | None = None
        """Earliest end (CLOCK_REALTIME ns) after which a slot found nothing to send, so far."""
        self.done: asyncio.Future[None] = loop.create_future()

    def start(self, concurrency: int, now_ns: int) -> None:
        """Fill the slots."""
        for slot in range(min(concurrency, self._planned)):
            self._send_next(slot)
        if concurrency > self._planned:
            self.drain_ns = now_ns

    def cut(self) -> None:
        """Send no more, and cancel what is in flight."""
        self._planned = self.sent
        self._transport.cancel_all()

    def ended(self, exchange: Exchange) -> None:
        """The transport is through with an exchange: refill its slot, then see to its record."""
        if self.sent < self._planned:
            self._in_flight -= 1
            self._send_next(exchange.slot)
        else:
            self._in_flight -= 1
            self.drain_ns = exchange.t_end if self.drain_ns is None else min(self.drain_ns, exchange.t_end)
        if not self._finished:
            self._loop.call_soon(self._read_finished)
        self._finished.append(exchange)

    def _send_next(self, slot: int) -> None:
        exchange = Exchange(self.sent, slot, self._ready)
        self.sent += 1
        self._in_flight += 1
        self._transport.send(exchange)
        if self.sent < self._planned:
            self._ready = self._requests[self.sent]

    def _read_finished(self) -> None:
        finished, self._finished = self._finished, []
        for exchange in finished:
            self._record(exchange)
        if not self._in_flight and not self._finished and self.sent >= self._planned and not self.done.done():
            self.done.set_result(None)
