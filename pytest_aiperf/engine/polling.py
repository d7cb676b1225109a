"""PYTEST_DONT_REWRITE. Carries requests whose answer has to be asked for again: a job is given out, and then polled.

It stands between those who send and a transport, and looks like a transport to the one and like a sender to the other.
So every kind of load and every transport can poll, and loads that do not poll do not come through here. What was given
to `send` comes out once, with the last answer: until then it holds its slot, and its time goes on.

The POST is the exchange itself, so that its stamps are seen while it is under way. Each GET is an exchange of its own
in the same slot and conversation. The transport's time limits begin anew with each GET; the limit on the whole is kept
here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import time_ns
from typing import Final

import orjson

from pytest_aiperf.common.records import ABSENT
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, FollowUp
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.refusals import http_failure
from pytest_aiperf.engine.request_bytes import RequestBytes
from pytest_aiperf.engine.transport import (
    CANCELLED_BY_CUT,
    CANCELLED_BY_PLAN,
    Exchange,
    Failure,
    Transport,
)

_FIRST_OF_OWN: Final = ABSENT - 1
"""Conversations of requests that stand alone count down from here, so that a sticky connection is one request's."""


class _Job:
    """One request from its POST to its last answer."""

    __slots__ = (
        "asked",
        "conversation",
        "exchange",
        "is_last",
        "is_last_of_conversation",
        "pause",
        "timeout",
    )

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        """What was given to `send`."""
        self.asked = exchange
        """What is under way, or ended last."""
        self.conversation = exchange.conversation
        self.is_last_of_conversation = exchange.last_of_conversation
        self.is_last = False
        """No answer can come after the one that is under way."""
        self.pause: asyncio.TimerHandle | None = None
        self.timeout: asyncio.TimerHandle | None = None


class Polling:
    """A transport that polls."""

    def __init__(
        self, plan: LoadPlan, endpoint: BaseEndpoint, *, requests: RequestBytes, transport: Transport
    ) -> None:
        self._plan = plan
        self._endpoint = endpoint
        self._requests = requests
        self._transport = transport
        self._jobs: dict[int, _Job] = {}
        """By the request's index."""
        self.name = transport.name
        self.proxy = transport.proxy

    @property
    def reopened(self) -> int:
        return self._transport.reopened

    @property
    def timestamps(self) -> str:
        return self._transport.timestamps

    async def open(self, connections: int, on_end: Callable[[Exchange], None]) -> None:
        """Open the connections of the transport."""
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        await self._transport.open(connections, self._answered)

    def close(self) -> None:
        for job in self._jobs.values():
            _stop_timers(job)
        self._transport.close()

    def end_conversation(self, conversation: int) -> None:
        self._transport.end_conversation(conversation)

    # Sending and cancelling.

    def send(self, exchange: Exchange) -> None:
        self._jobs[exchange.index] = _Job(exchange)
        if exchange.conversation == ABSENT:
            exchange.conversation = _FIRST_OF_OWN - exchange.index
        # As the transport sees it, which cannot know yet whether something is asked after this.
        exchange.last_of_conversation = False
        self._transport.send(exchange)

    def cancel(self, exchange: Exchange) -> None:
        job = self._jobs.get(exchange.index)
        if job is None:
            return
        if job.pause is None:
            self._transport.cancel(job.asked)
        else:
            self._cancel(job, CANCELLED_BY_PLAN)

    def cancel_all(self) -> None:
        for job in [job for job in self._jobs.values() if job.pause is not None]:
            self._cancel(job, CANCELLED_BY_CUT)
        self._transport.cancel_all()

    def _cancel(self, job: _Job, why: str) -> None:
        job.exchange.cancelled = True
        self._end(job, Failure("cancelled", why), time_ns())

    # What the transport reports.

    def _answered(self, asked: Exchange) -> None:
        job = self._jobs[asked.index]
        job.asked = asked
        if asked.failure is not None or not 200 <= asked.status < 300:
            self._end(job, self._why(job), asked.t_end)
            return
        follow_up = None if job.is_last else self._follow_up(asked)
        if follow_up is None:
            self._end(job, None, asked.t_end)
        else:
            self._go_on(job, follow_up)

    def _follow_up(self, asked: Exchange) -> FollowUp | None:
        """None also where the answer is none: whoever reads it will say so."""
        try:
            body = orjson.loads(b"".join(asked.parts))
        except orjson.JSONDecodeError:
            return None
        return self._endpoint.follow_up(body)

    def _go_on(self, job: _Job, follow_up: FollowUp) -> None:
        job.exchange.t_end = 0  # it goes on
        job.is_last = follow_up.is_last
        if job.timeout is None:
            left_s = self._plan.request_timeout_s - (time_ns() - job.exchange.t0) / 1e9
            job.timeout = self._loop.call_later(max(left_s, 0.0), self._overdue, job)
        job.pause = self._loop.call_later(follow_up.pause_s, self._ask, job, follow_up.path)

    def _ask(self, job: _Job, path: str) -> None:
        job.pause = None
        exchange = job.exchange
        asked = Exchange(exchange.index, exchange.slot, self._requests.follow_up(exchange.index, path))
        asked.conversation = exchange.conversation
        asked.last_of_conversation = False
        job.asked = asked
        self._transport.send(asked)

    def _overdue(self, job: _Job) -> None:
        job.timeout = None
        if job.pause is None:
            self._transport.cancel(job.asked)  # comes back through `_answered`
        else:
            self._end(job, self._pending_too_long(), time_ns())

    # The end.

    def _why(self, job: _Job) -> Failure | None:
        """Why a job failed; None where its POST did, which speaks for itself."""
        asked = job.asked
        if asked is job.exchange:
            return asked.failure
        if asked.cancelled and job.timeout is None:
            return self._pending_too_long()
        failure = asked.failure or http_failure(asked)
        if asked.cancelled:
            job.exchange.cancelled = True
            return failure
        return failure._replace(message=f"while it was polled: {failure.message}")

    def _pending_too_long(self) -> Failure:
        return Failure(
            "timeout", f"the answer was still pending {self._plan.request_timeout_s:g} s after the request"
        )

    def _end(self, job: _Job, failure: Failure | None, t_end: int) -> None:
        """Hand out the exchange: sending is as the POST has it, the answer as the last one has it."""
        _stop_timers(job)
        exchange, asked = job.exchange, job.asked
        del self._jobs[exchange.index]
        if asked is not exchange:
            exchange.status, exchange.headers = asked.status, asked.headers
            exchange.parts, exchange.stamps = asked.parts, asked.stamps
        exchange.failure = failure
        exchange.t_end = t_end
        if job.is_last_of_conversation:
            self._transport.end_conversation(exchange.conversation)
        exchange.conversation = job.conversation
        exchange.last_of_conversation = job.is_last_of_conversation
        self._on_end(exchange)


def _stop_timers(job: _Job) -> None:
    for timer in (job.pause, job.timeout):
        if timer is not None:
            timer.cancel()
    job.pause = None
