"""PYTEST_DONT_REWRITE. Which of the two classes that send takes a plan, and how many connections it begins with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.engine.arrivals import busiest_second
from pytest_aiperf.engine.dispatcher import Dispatcher
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.prefill import FirstContent
from pytest_aiperf.engine.request_bytes import RequestBytes
from pytest_aiperf.engine.slots import Slots
from pytest_aiperf.engine.transport import Exchange, Transport

_MOST_OPENED_AHEAD: Final = 128
"""Connections that an open loop without a limit has at its start; more are made when they are needed."""


class Pacer(Protocol):
    """Sends the requests of a plan."""

    sent: int
    drain_ns: int | None
    """Closed loop: earliest end after which a slot found nothing to send, so far. Open loop: when all was sent."""
    done: asyncio.Future[None]
    """Set when all that was sent has been recorded, and nothing more will be."""
    halted: bool
    """The plan's duration was over before everything was sent."""

    def start(self, start_ns: int) -> None:
        """Begin; times of the plan count from here (CLOCK_REALTIME ns)."""

    def ended(self, exchange: Exchange) -> None:
        """Take back an exchange from the transport."""

    def cut(self) -> None:
        """Send no more, and cancel what is in flight."""

    def close(self) -> None:
        """Let nothing ring any more."""


def new_pacer(
    plan: LoadPlan,
    *,
    requests: RequestBytes,
    transport: Transport,
    record: Callable[[Exchange], Outcome],
    endpoint: BaseEndpoint,
) -> Pacer:
    """Return what sends this plan; to be called from the loop."""
    loop = asyncio.get_running_loop()
    beyond = (plan.due_ns, plan.after, plan.conversation, plan.cancel_after_ns, plan.prefill_concurrency)
    if not plan.concurrency_ramp_s and all(rule is None for rule in beyond):
        return Slots(plan, loop=loop, requests=requests, transport=transport, record=record)
    return Dispatcher(
        plan,
        loop=loop,
        requests=requests,
        transport=transport,
        record=record,
        first_content=FirstContent(endpoint),
        clock=time.time_ns,
    )


def connections_of(plan: LoadPlan) -> int:
    """Return how many connections are opened before the run: all that a closed loop needs.

    An open loop without a limit needs as many as it has answers under way; that is guessed as answers of one second.
    """
    wanted = plan.concurrency
    if wanted is None and plan.due_ns is not None:
        wanted = min(busiest_second(plan.due_ns), _MOST_OPENED_AHEAD)
    return min(wanted or 1, len(plan.bodies) if plan.requests is None else plan.requests)
