"""PYTEST_DONT_REWRITE. Timeouts by one sweeping timer over what is in flight, not by a timer for each request.

A timer per request costs two heap operations at every send; the sweep costs the hot path nothing. It looks at how many
reads an exchange has had, and takes the moment at which it first saw that number for the last sign of life. So a
timeout is noticed late by up to two periods, an eighth of it each. It counts in loop time, which nobody steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from pytest_aiperf.engine.connection import Connection
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.transport import Exchange, Failure

_LONGEST_PERIOD_S: Final = 0.25
_SHORTEST_PERIOD_S: Final = 0.01


class _Sign(NamedTuple):
    """What the sweep saw of a connection, and since when."""

    exchange: Exchange | None
    phase: tuple[bool, int]
    begun_s: float
    since_s: float


class Deadlines:
    """Sweeps over the connections until stopped and reports each whose time is over."""

    def __init__(
        self,
        plan: LoadPlan,
        connections: Callable[[], Iterable[Connection]],
        overdue: Callable[[Connection, Failure], None],
    ) -> None:
        self._plan = plan
        self._connections = connections
        self._overdue = overdue
        shortest_s = min(plan.connect_timeout_s, plan.stall_timeout_s, plan.request_timeout_s)
        self._period_s = min(max(shortest_s / 8, _SHORTEST_PERIOD_S), _LONGEST_PERIOD_S)
        self._seen: dict[Connection, _Sign] = {}
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._period_s, self._sweep)

    def stop(self) -> None:
        self._timer.cancel()

    def _sweep(self) -> None:
        self._timer = self._loop.call_later(self._period_s, self._sweep)
        now_s = self._loop.time()
        seen: dict[Connection, _Sign] = {}
        late: list[tuple[Connection, Failure]] = []
        for connection in self._connections():
            sign = self._sign_of(connection, now_s)
            if sign is None:
                continue
            seen[connection] = sign
            failure = self._verdict(connection, sign, now_s)
            if failure is not None:
                late.append((connection, failure))
        self._seen = seen
        for connection, failure in late:
            self._overdue(connection, failure)

    def _sign_of(self, connection: Connection, now_s: float) -> _Sign | None:
        exchange = connection.exchange
        if exchange is None and not connection.connecting:
            return None
        phase = (connection.connecting, connection.reads)
        last = self._seen.get(connection)
        if last is None or last.exchange is not exchange:
            return _Sign(exchange, phase, now_s, now_s)
        if last.phase != phase:
            return _Sign(exchange, phase, now_s if last.phase[0] else last.begun_s, now_s)
        return last

    def _verdict(self, connection: Connection, sign: _Sign, now_s: float) -> Failure | None:
        plan = self._plan
        silent_s = now_s - sign.since_s
        if connection.connecting:
            if silent_s > plan.connect_timeout_s:
                return Failure("timeout", f"no connection within {plan.connect_timeout_s:g} s")
            return None
        if now_s - sign.begun_s > plan.request_timeout_s:
            return Failure("timeout", f"the answer was not complete within {plan.request_timeout_s:g} s")
        if silent_s > plan.stall_timeout_s:
            where = "after its beginning" if connection.reads else "before its first byte"
            return Failure("timeout", f"the answer stalled for {plan.stall_timeout_s:g} s {where}")
        return None
