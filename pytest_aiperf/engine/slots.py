"""PYTEST_DONT_REWRITE. The closed loop: C slots, each of which sends its next request as soon as its last ended.

Sending comes first and reading the finished answer second (`Reading`): when many answers end at once, no slot waits
for another one's JSON.

It is what the `Dispatcher` does for a plan that has a concurrency and nothing else, for less: this path is the one that
decides throughput.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.engine.alarm import Alarm, new_alarm
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.reading import Reading
from pytest_aiperf.engine.request_bytes import RequestBytes
from pytest_aiperf.engine.transport import Exchange, Transport


class Slots:
    """Sends the requests in order and hands each finished exchange to `record`."""

    def __init__(
        self,
        plan: LoadPlan,
        *,
        loop: asyncio.AbstractEventLoop,
        requests: RequestBytes,
        transport: Transport,
        record: Callable[[Exchange], Outcome],
        make_alarm: Callable[[asyncio.AbstractEventLoop, Callable[[], None]], Alarm] = new_alarm,
    ) -> None:
        self._plan = plan
        self._requests = requests
        self._transport = transport
        self._planned = sys.maxsize if plan.requests is None else plan.requests
        self._reading = Reading(loop, record, self._finish_if_over)
        self._in_flight = 0
        self._ready = requests[0]
        self._alarm = None if plan.duration_s is None else make_alarm(loop, self._halt)
        self.halted = False
        """The plan's duration was over before everything was sent."""
        self.sent = 0
        self.drain_ns: int | None = None
        """Earliest end (CLOCK_REALTIME ns) after which a slot found nothing to send, so far."""
        self.done: asyncio.Future[None] = loop.create_future()

    def start(self, start_ns: int) -> None:
        """Fill the slots; the plan's duration counts from here (CLOCK_REALTIME ns)."""
        concurrency = self._plan.concurrency or 1
        if self._alarm is not None and self._plan.duration_s is not None:
            self._alarm.set(start_ns + round(self._plan.duration_s * 1e9))
        for slot in range(min(concurrency, self._planned)):
            self._send_next(slot)
        if concurrency > self._planned:
            self.drain_ns = start_ns

    def _halt(self) -> None:
        self.halted = self.sent < self._planned
        self._planned = self.sent

    def cut(self) -> None:
        """Send no more, and cancel what is in flight."""
        self._planned = self.sent
        self._transport.cancel_all()

    def close(self) -> None:
        """Let nothing ring any more."""
        if self._alarm is not None:
            self._alarm.close()

    def ended(self, exchange: Exchange) -> None:
        """The transport is through with an exchange: refill its slot, then see to its record."""
        if self.sent < self._planned:
            self._in_flight -= 1
            self._send_next(exchange.slot)
        else:
            self._in_flight -= 1
            self.drain_ns = exchange.t_end if self.drain_ns is None else min(self.drain_ns, exchange.t_end)
        self._reading.add(exchange)

    def _send_next(self, slot: int) -> None:
        exchange = Exchange(self.sent, slot, self._ready)
        self.sent += 1
        self._in_flight += 1
        self._transport.send(exchange)
        if self.sent < self._planned:
            self._ready = self._requests[self.sent]

    def _finish_if_over(self) -> None:
        over = self.sent >= self._planned and not self._in_flight
        if over and not self._reading and not self.done.done():
            self.done.set_result(None)
