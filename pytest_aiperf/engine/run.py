"""PYTEST_DONT_REWRITE. One run of a load, from the plan to the records.

`run_load` may take the process for its own: while it measures, the garbage collector is at rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pytest_aiperf.common.records import RecordBatch, RunFacts
from pytest_aiperf.engine.address import parse_target
from pytest_aiperf.engine.answer import AnswerReader
from pytest_aiperf.engine.clock import realtime_offset_ns
from pytest_aiperf.engine.loop import LagSampler, collector_at_rest, errors_caught
from pytest_aiperf.engine.masking import Masking
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.recorder import Recorder
from pytest_aiperf.engine.request_bytes import RequestBytes, api_key
from pytest_aiperf.engine.slots import Slots
from pytest_aiperf.engine.transport import Exchange, Transport
from pytest_aiperf.engine.transports import new_transport
from pytest_aiperf.plugin.plugins import get_class

_PROGRESS_PERIOD_S: Final = 0.25
_CUT_GRACE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come."""

    planned: int
    sent: int
    ended: int
    failed: int
    """Of those that ended, without the cancelled ones."""
    elapsed_s: float


async def run_load(
    plan: LoadPlan,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    abort: asyncio.Event | None = None,
) -> RecordBatch:
    """Send every request of the plan once, in order, at its concurrency, and return one row for each that was sent.

    Args:
        plan: what to send, and where.
        on_progress: called four times a second while the load runs, and at its end.
        abort: when set, the run is cut short: what is in flight is recorded as cancelled, the rest is not sent.

    Raises:
        ConfigurationError: the URL, a header or the plan itself cannot be used.
        EndpointError: no connection could be made at all.
    """
    targets = [parse_target(url) for url in plan.urls]
    endpoint = get_class("endpoint", plan.endpoint_type)()
    requests = RequestBytes(plan, targets)
    recorder = Recorder(Masking(api_key=api_key(), headers=plan.headers))
    answers = AnswerReader(plan, endpoint)

    def record(exchange: Exchange) -> None:
        recorder.add(exchange, answers.read(exchange))

    transport = new_transport(plan, targets)
    slots = Slots(asyncio.get_running_loop(), requests, transport, record)
    aborted = asyncio.ensure_future(abort.wait()) if abort is not None else None
    try:
        run = _Run(plan, transport, slots, recorder, on_progress, aborted)
        return await run.measure() if await run.open() else run.nothing()
    finally:
        if aborted is not None:
            aborted.cancel()
        transport.close()


class _Run:
    """Connections first, and then the measured part: from the first byte sent to the last answer read."""

    def __init__(
        self,
        plan: LoadPlan,
        transport: Transport,
        slots: Slots,
        recorder: Recorder,
        on_progress: Callable[[Progress], None] | None,
        aborted: asyncio.Future[Any] | None,
    ) -> None:
        self._plan = plan
        self._transport = transport
        self._slots = slots
        self._recorder = recorder
        self._on_progress = on_progress
        self._aborted = aborted
        self._begun_s = time.monotonic()

    async def open(self) -> bool:
        """Open the connections; returns False if the run was aborted meanwhile."""
        connections = min(self._plan.concurrency or 1, len(self._plan.bodies))
        opening = asyncio.ensure_future(self._transport.open(connections, self._slots.ended))
        try:
            # Bounded by the transport's own deadlines.
            await asyncio.wait(self._or_aborted(opening), return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                return False
            opening.result()
            return True
        finally:
            opening.cancel()

    def nothing(self) -> RecordBatch:
        """Return the records of a run that was aborted before its first request."""
        return self._finish(
            time.time_ns(), cut_short=self._cut_short("aborted"), shift_ns=0, lag_ns=0, cpu_share=0.0
        )

    async def measure(self) -> RecordBatch:
        """Send, wait, and return the records."""
        loop = asyncio.get_running_loop()
        with errors_caught(loop, self._slots.done), collector_at_rest():
            lag = LagSampler(loop)
            offset_ns = realtime_offset_ns()
            begun_cpu_s = time.process_time()
            self._begun_s = time.monotonic()
            start_ns = time.time_ns()
            self._slots.start(self._plan.concurrency or 1, start_ns)
            try:
                cut_short = await self._until_done()
            finally:
                lag_ns = lag.stop()
            cpu_share = (time.process_time() - begun_cpu_s) / (time.monotonic() - self._begun_s)
            shift_ns = realtime_offset_ns() - offset_ns
        self._report()
        return self._finish(
            start_ns, cut_short=cut_short, shift_ns=shift_ns, lag_ns=lag_ns, cpu_share=cpu_share
        )

    def _finish(
        self, start_ns: int, *, cut_short: str | None, shift_ns: int, lag_ns: int, cpu_share: float
    ) -> RecordBatch:
        last_ns = self._recorder.last_end_ns or start_ns
        drain_ns = last_ns if self._slots.drain_ns is None else self._slots.drain_ns
        return self._recorder.finish(
            RunFacts(
                start_ns=start_ns,
                end_ns=last_ns - start_ns,
                drain_ns=drain_ns - start_ns,
                clock_shift_ns=shift_ns,
                cpu_share=cpu_share,
                loop_lag_p99_ns=lag_ns,
                timestamps=self._transport.timestamps,
                transport=self._transport.name,
                concurrency=self._plan.concurrency,
                planned=len(self._plan.bodies),
                reopened=self._transport.reopened,
                cut_short=cut_short,
            )
        )

    async def _until_done(self) -> str | None:
        """Wait for the end of the run; returns why it was cut short, if it was."""
        done, aborted = self._slots.done, self._aborted
        while True:
            left_s = self._plan.max_duration_s - (time.monotonic() - self._begun_s)
            await asyncio.wait(
                self._or_aborted(done),
                timeout=max(min(left_s, _PROGRESS_PERIOD_S), 0.0),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if done.done():
                done.result()
                return None
            if aborted is not None and aborted.done():
                return await self._cut("aborted")
            if left_s <= 0:
                limit_s = self._plan.max_duration_s
                return await self._cut(f"it reached its longest duration of {limit_s:g} s")
            self._report()

    def _or_aborted(self, future: asyncio.Future[None]) -> set[asyncio.Future[Any]]:
        return {future} if self._aborted is None else {future, self._aborted}

    async def _cut(self, reason: str) -> str:
        reason = self._cut_short(reason)
        self._slots.cut()
        await asyncio.wait_for(self._slots.done, _CUT_GRACE_S)
        return reason

    def _cut_short(self, reason: str) -> str:
        return f"{reason}; {self._slots.sent} of {len(self._plan.bodies)} requests had been sent"

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    planned=len(self._plan.bodies),
                    sent=self._slots.sent,
                    ended=self._recorder.rows,
                    failed=self._recorder.failed,
                    elapsed_s=time.monotonic() - self._begun_s,
                )
            )
