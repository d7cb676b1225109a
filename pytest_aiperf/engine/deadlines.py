"""PYTEST_DONT_REWRITE. Timeouts by one sweep over the connections, not by a timer for each request.

A timer per request costs two heap operations at every send; this costs the hot path nothing, since what it goes by is
there anyway: when the request was sent, and the stamp of the last read. The sweep is not periodic either. A limit that
runs now ends at a time that it sees, one that begins later ends no sooner than the shortest limit from now: the
earliest of these is when it looks again. With limits of minutes it looks every ten seconds (the limit of connecting).

It compares CLOCK_REALTIME stamps, as the kernel gives them; a run across which that clock was stepped is no
measurement anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import time_ns
from typing import Final, Protocol, TypeVar

from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.transport import Exchange, Failure

_LATEST_S: Final = 0.25
_LATEST_SHARE: Final = 0.25
"""A timeout is noticed late by this share of the shortest limit at most, and by no more than `_LATEST_S`."""
_TIMER_SLACK_S: Final = 0.001
"""Timers of uvloop have a resolution of 1 ms: without this it would look just before the time."""
_BILLION: Final = 1_000_000_000


class Timed(Protocol):
    """What the sweep looks at. All times are CLOCK_REALTIME ns."""

    exchange: Exchange | None

    @property
    def connecting(self) -> bool: ...

    @property
    def begun_ns(self) -> int:
        """When connecting began."""

    @property
    def heard_ns(self) -> int:
        """Stamp of the last read that brought something of the answer that is under way, 0 before the first."""

    @property
    def awaited(self) -> str:
        """What `connecting` waits for."""


_C = TypeVar("_C", bound=Timed)


class Deadlines:
    """Looks at the connections until stopped and reports each whose time is over."""

    def __init__(
        self,
        plan: LoadPlan,
        connections: Callable[[], Iterable[_C]],
        overdue: Callable[[_C, Failure], None],
    ) -> None:
        self._plan = plan
        limits_s = (
            plan.connect_timeout_s,
            plan.first_byte_timeout_s,
            plan.stall_timeout_s,
            plan.request_timeout_s,
        )
        self._shortest_ns = int(min(limits_s) * _BILLION)
        self._period_s = min(min(limits_s) * _LATEST_SHARE, _LATEST_S)
        self._sweep = lambda: self._look(connections, overdue)
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._period_s, self._sweep)

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self, connections: Callable[[], Iterable[_C]], overdue: Callable[[_C, Failure], None]) -> None:
        now = time_ns()
        late, earliest = self._late(connections(), now)
        wait_s = max((earliest - now) / _BILLION + _TIMER_SLACK_S, self._period_s)
        self._timer = self._loop.call_later(wait_s, self._sweep)
        for connection, exchange in late:
            if connection.exchange is exchange:  # else the end of an earlier one of these ended this one too
                overdue(connection, self._why(connection, now))

    def _late(self, connections: Iterable[_C], now: int) -> tuple[list[tuple[_C, Exchange | None]], int]:
        """Return what is overdue, and when the next one can be."""
        plan = self._plan
        connect_ns = int(plan.connect_timeout_s * _BILLION)
        first_ns = int(plan.first_byte_timeout_s * _BILLION)
        stall_ns = int(plan.stall_timeout_s * _BILLION)
        total_ns = int(plan.request_timeout_s * _BILLION)
        earliest = now + self._shortest_ns
        late: list[tuple[_C, Exchange | None]] = []
        for connection in connections:
            exchange = connection.exchange
            if connection.connecting:
                due = connection.begun_ns + connect_ns
            elif exchange is None:
                continue
            else:
                heard, sent = connection.heard_ns, exchange.t0
                due = heard + stall_ns if heard else sent + first_ns
                if due > sent + total_ns:
                    due = sent + total_ns
            if due <= now:
                late.append((connection, exchange))
            elif due < earliest:
                earliest = due
        return late, earliest

    def _why(self, connection: Timed, now: int) -> Failure:
        plan, exchange = self._plan, connection.exchange
        if connection.connecting or exchange is None:
            return Failure("timeout", f"no {connection.awaited} within {plan.connect_timeout_s:g} s")
        if now - exchange.t0 >= plan.request_timeout_s * _BILLION:
            return Failure("timeout", f"the answer was not complete within {plan.request_timeout_s:g} s")
        if not connection.heard_ns:
            return Failure(
                "timeout", f"no byte of the answer within {plan.first_byte_timeout_s:g} s after the request"
            )
        return Failure("timeout", f"the answer stalled for {plan.stall_timeout_s:g} s after its beginning")
