"""PYTEST_DONT_REWRITE. Sends the requests of any plan, each as soon as it is ready and a slot is free.

There is one place that sends, `_pump`, and it is called whenever something may have changed: an answer has ended, the
first content of one is there, a moment has come. What it cannot send now it leaves in line; so a request is late at
times, and never dropped.

A limit that grows is a number that sending is compared with. There is no semaphore whose permits would have to be
paid back: were the limit to fall below what is in flight, nothing would be sent until enough had ended.

Sending comes before reading answers, which takes longer: reading stops for it between two answers. The exception is
an answer that another request waits for. It is read at once, because it decides whether that one is sent.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.engine.alarm import Alarm, new_alarm
from pytest_aiperf.engine.clock import Clock
from pytest_aiperf.engine.conversations import is_last_turn
from pytest_aiperf.engine.line import GivenUp, Line
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.prefill import FirstContent
from pytest_aiperf.engine.ramp import limit_steps_ns
from pytest_aiperf.engine.reading import Reading
from pytest_aiperf.engine.request_bytes import RequestBytes
from pytest_aiperf.engine.transport import Exchange, Failure, Transport

_NO_LIMIT: Final = sys.maxsize
_LOOK_AGAIN_NS: Final = 1_000_000
"""How often a request that is to be cancelled is looked at while its last byte is not sent yet."""


class Dispatcher:
    """Sends what is due, hands each finished exchange to `record`, and says when the run is over."""

    def __init__(
        self,
        plan: LoadPlan,
        *,
        loop: asyncio.AbstractEventLoop,
        requests: RequestBytes,
        transport: Transport,
        record: Callable[[Exchange], Outcome],
        first_content: FirstContent,
        clock: Clock,
        make_alarm: Callable[[asyncio.AbstractEventLoop, Callable[[], None]], Alarm] = new_alarm,
    ) -> None:
        self._plan = plan
        self._requests = requests
        self._transport = transport
        self._record = record
        self._first_content = first_content
        self._clock = clock
        self._rows = len(plan.bodies)
        self._conversation = None if plan.conversation is None else plan.conversation.tolist()
        self._last_turn = None if plan.conversation is None else is_last_turn(plan.conversation)
        self._conversations = 0 if plan.conversation is None else int(plan.conversation.max()) + 1
        self._cancel_after = None if plan.cancel_after_ns is None else plan.cancel_after_ns.tolist()
        self._prefill_limit = plan.prefill_concurrency or _NO_LIMIT
        self._in_flight = 0
        self._prefilling = 0
        self._free: list[int] = []
        """Slots that were in use; the one freed last is used first."""
        self._slots = 0
        self._cancels: list[tuple[int, int, Exchange]] = []
        """(when, index, exchange), a heap; those that have ended meanwhile are still in it."""
        self._reading = Reading(loop, self._read, self._finish_if_over)
        self._alarm_ns: int | None = None
        self._alarm = make_alarm(loop, self._pump)
        self._pumping = False
        self._stopped = False
        """Nothing is sent any more."""
        self.halted = False
        """The plan's duration was over before everything was sent."""
        self.sent = 0
        self.drain_ns: int | None = None
        """Closed loop: earliest end after which a slot found nothing to send, so far. Open loop: when all was sent."""
        self.done: asyncio.Future[None] = loop.create_future()

    def start(self, start_ns: int) -> None:
        """Begin; times of the plan count from here (CLOCK_REALTIME ns)."""
        plan = self._plan
        self._line = Line(plan, start_ns)
        self._stop_ns = None if plan.duration_s is None else start_ns + round(plan.duration_s * 1e9)
        self._limit = plan.concurrency or _NO_LIMIT
        self._steps: list[int] = []
        """When the limit becomes 1, 2, …, in a plan where it grows."""
        if plan.concurrency is not None and plan.concurrency_ramp_s:
            steps = limit_steps_ns(plan.concurrency, ramp_s=plan.concurrency_ramp_s, shape=plan.ramp_shape)
            self._steps = (start_ns + steps).tolist()
            self._limit = 1
        self._pump()
        self._note_drain(start_ns)

    def cut(self) -> None:
        """Send no more, and cancel what is in flight."""
        self._stopped = True
        self._transport.cancel_all()
        self._pump()

    def close(self) -> None:
        """Let nothing ring any more."""
        self._alarm.close()

    # What the transport reports.

    def ended(self, exchange: Exchange) -> None:
        """The transport is through with an exchange: send what may be sent now, then see to its record."""
        self._in_flight -= 1
        self._free.append(exchange.slot)
        if exchange.watch is not None:
            exchange.watch = None
            self._prefilling -= 1
        if self._line.is_followed(exchange.index):
            outcome = self._record(exchange)
            for given_up in self._line.ended(exchange.index, exchange.t_end, outcome):
                self._give_up(given_up, exchange.t_end)
        else:
            self._reading.add(exchange)
        if not self._pumping:
            self._pump()
            self._note_drain(exchange.t_end)

    def _look(self, exchange: Exchange) -> None:
        """More of an answer came whose first content is awaited."""
        if self._first_content.has_come(exchange):
            exchange.watch = None
            self._prefilling -= 1
            self._pump()

    # Sending.

    def _pump(self) -> None:
        """Do everything whose time has come, and set the alarm for what comes next."""
        self._pumping = True
        now_ns = self._clock()
        if self._cancels:
            self._cancel_what_is_due(now_ns)
        if not self._stopped:
            self._send_what_is_ready(now_ns)
        self._pumping = False
        if self._plan.due_ns is not None and self.drain_ns is None and (self._stopped or not self._line.left):
            self.drain_ns = now_ns
        self._alarm_ns = self._next_ns()
        self._alarm.set(self._alarm_ns)
        self._finish_if_over()

    def _send_what_is_ready(self, now_ns: int) -> None:
        over = self._stop_ns is not None and now_ns >= self._stop_ns
        if over:
            # What was due until the end is sent, though the alarm rang some microseconds later.
            assert self._stop_ns is not None
            now_ns = self._stop_ns
        while self._steps and self._limit < len(self._steps) and self._steps[self._limit] <= now_ns:
            self._limit += 1
        if not over or self._plan.due_ns is not None:
            while self._in_flight < self._limit and self._prefilling < self._prefill_limit:
                ready = self._line.take(now_ns)
                if ready is None:
                    break
                self._send(ready.position, ready.t_plan)
        self._stopped = over
        self.halted = over and self._line.left > 0

    def _send(self, index: int, t_plan: int) -> None:
        if self._free:
            slot = self._free.pop()
        else:
            slot = self._slots
            self._slots += 1
        exchange = self._exchange(index, slot, self._requests[index], t_plan)
        if self._plan.prefill_concurrency is not None:
            exchange.watch = self._look
            self._prefilling += 1
        self.sent += 1
        self._in_flight += 1
        self._transport.send(exchange)
        if self._cancel_after is not None:
            delay_ns = self._cancel_after[index % self._rows]
            if delay_ns >= 0:
                heappush(self._cancels, (self._clock() + delay_ns, index, exchange))

    def _exchange(self, index: int, slot: int, request: bytes, t_plan: int) -> Exchange:
        exchange = Exchange(index, slot, request)
        exchange.t_plan = t_plan
        if self._conversation is not None and self._last_turn is not None:
            cycle, row = divmod(index, self._rows)
            if self._conversation[row] != ABSENT:
                exchange.conversation = self._conversation[row] + cycle * self._conversations
                exchange.last_of_conversation = self._last_turn[row]
        return exchange

    def _cancel_what_is_due(self, now_ns: int) -> None:
        assert self._cancel_after is not None
        while self._cancels and self._cancels[0][0] <= now_ns:
            _, index, exchange = heappop(self._cancels)
            if exchange.t_end:
                continue
            if exchange.t_sent:
                at_ns = exchange.t_sent + self._cancel_after[index % self._rows]
            else:
                at_ns = now_ns + _LOOK_AGAIN_NS
            if at_ns > now_ns:
                heappush(self._cancels, (at_ns, index, exchange))
            else:
                self._transport.cancel(exchange)

    def _next_ns(self) -> int | None:
        """When something happens that no answer brings about."""
        known = [self._cancels[0][0]] if self._cancels else []
        if not self._stopped:
            if self._stop_ns is not None:
                known.append(self._stop_ns)
            if self._in_flight >= self._limit:
                known += self._steps[self._limit : self._limit + 1]
            elif self._prefilling < self._prefill_limit and self._line.next_ns is not None:
                known.append(self._line.next_ns)
        return min(known, default=None)

    # Reading, and the end.

    def _read(self, exchange: Exchange) -> None:
        self._record(exchange)
        if self._alarm_ns is not None and self._clock() >= self._alarm_ns:
            self._pump()

    def _give_up(self, given_up: GivenUp, now_ns: int) -> None:
        exchange = self._exchange(given_up.position, ABSENT, b"", 0)
        exchange.t_end = now_ns
        exchange.cancelled = given_up.because is Outcome.CANCELLED
        how = "was cancelled" if exchange.cancelled else "failed"
        exchange.failure = Failure("skipped", f"not sent: a request that it follows {how}")
        self._record(exchange)

    def _note_drain(self, at_ns: int) -> None:
        if self._plan.due_ns is not None or self._in_flight >= self._limit:
            return
        if self._stopped or not self._line.roots_left:
            self.drain_ns = at_ns if self.drain_ns is None else min(self.drain_ns, at_ns)

    def _finish_if_over(self) -> None:
        over = self._stopped or not self._line.left
        if over and not self._in_flight and not self._reading and not self.done.done():
            self.done.set_result(None)
