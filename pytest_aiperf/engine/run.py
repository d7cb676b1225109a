"""PYTEST_DONT_REWRITE. One run of a load, from the plan to the records.

`run_load` may take the process for its own: while it measures, the garbage collector is at rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.header_values import api_key, header_values
from pytest_aiperf.common.masking import Masking
from pytest_aiperf.common.records import Outcome, RecordBatch, RunFacts
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, ModelEndpointInfo
from pytest_aiperf.engine.address import parse_target
from pytest_aiperf.engine.alarm import new_alarm
from pytest_aiperf.engine.clock import realtime_offset_ns
from pytest_aiperf.engine.dealing import in_whole_plan
from pytest_aiperf.engine.graded_answers import new_answer_reader
from pytest_aiperf.engine.loop import LagSampler, collector_at_rest, errors_caught
from pytest_aiperf.engine.pacers import Pacer, connections_of, new_pacer
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.recorder import Recorder
from pytest_aiperf.engine.request_bytes import RequestBytes
from pytest_aiperf.engine.transport import Exchange, Transport
from pytest_aiperf.engine.transports import new_transport
from pytest_aiperf.plugin.plugins import get_class

_PROGRESS_PERIOD_S: Final = 0.25
_CUT_GRACE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come."""

    planned: int | None
    """Requests in all; None where the duration decides."""
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
    opened: Callable[[], Coroutine[Any, Any, int]] | None = None,
) -> RecordBatch:
    """Send the requests of the plan when it wants them sent, and return one row for each.

    A request that is not sent, because one that it follows did not end well, has its row too. Rows of a part of a plan
    have the numbers of the whole.

    Args:
        plan: what to send, and where.
        on_progress: called four times a second while the load runs, and at its end.
        abort: when set, the run is cut short: what is in flight is recorded as cancelled, the rest is not sent.
        opened: called once the connections are open; returns the plan's `start_at_ns`, which is not known before.

    Raises:
        ConfigurationError: the URL, a header or the plan itself cannot be used.
        EndpointError: no connection could be made at all.
    """
    targets = [parse_target(url) for url in plan.urls]
    told = ModelEndpointInfo(
        streaming=plan.streaming,
        extra=plan.endpoint_extra,
        download_video_content=plan.download_video_content,
    )
    endpoint: BaseEndpoint = get_class("endpoint", plan.endpoint_type)(told)
    recorder = Recorder(Masking(api_key=api_key(), headers=plan.headers))
    plan = replace(plan, headers=header_values(plan.headers))
    requests = RequestBytes(plan, targets, endpoint)
    answers = new_answer_reader(plan, endpoint)

    def record(exchange: Exchange) -> Outcome:
        answer = answers.read(exchange)
        recorder.add(exchange, answer)
        return answer.outcome

    transport = new_transport(plan, targets)
    if endpoint.polls:
        from pytest_aiperf.engine.polling import Polling

        transport = Polling(plan, endpoint, requests=requests, transport=transport)
    pacer = new_pacer(plan, requests=requests, transport=transport, record=record, endpoint=endpoint)
    aborted = asyncio.ensure_future(abort.wait()) if abort is not None else None
    try:
        run = _Run(plan, transport, pacer, recorder, on_progress, aborted)
        ready = await run.open() and (opened is None or await run.agree(opened)) and await run.reach_start()
        batch = await run.measure() if ready else run.nothing()
    finally:
        if aborted is not None:
            aborted.cancel()
        pacer.close()
        transport.close()
    return replace(batch, request_index=in_whole_plan(plan, batch.request_index))


class _Run:
    """Connections first, and then the measured part: from the first byte sent to the last answer read."""

    def __init__(
        self,
        plan: LoadPlan,
        transport: Transport,
        pacer: Pacer,
        recorder: Recorder,
        on_progress: Callable[[Progress], None] | None,
        aborted: asyncio.Future[Any] | None,
    ) -> None:
        self._plan = plan
        self._transport = transport
        self._pacer = pacer
        self._recorder = recorder
        self._on_progress = on_progress
        self._aborted = aborted
        self._begun_s = time.monotonic()

    async def open(self) -> bool:
        """Open the connections; returns False if the run was aborted meanwhile."""
        connections = connections_of(self._plan)
        opening = asyncio.ensure_future(self._transport.open(connections, self._pacer.ended))
        try:
            # Bounded by the transport's own deadlines.
            await asyncio.wait(self._or_aborted(opening), return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                return False
            opening.result()
            return True
        finally:
            opening.cancel()

    async def agree(self, opened: Callable[[], Coroutine[Any, Any, int]]) -> bool:
        """Learn the moment at which all load processes start; returns False if the run was aborted meanwhile."""
        moment = asyncio.ensure_future(opened())
        try:
            await asyncio.wait(self._or_aborted(moment), return_when=asyncio.FIRST_COMPLETED)
            if not moment.done():
                return False
            self._plan = replace(self._plan, start_at_ns=moment.result())
            return True
        finally:
            moment.cancel()

    async def reach_start(self) -> bool:
        """Wait for the plan's moment, if it has one; returns False if the run was aborted meanwhile.

        Raises:
            ConfigurationError: that moment is farther away than the run may last.
        """
        at_ns = self._plan.start_at_ns
        if at_ns is None:
            return True
        ahead_s = (at_ns - time.time_ns()) / 1e9
        if ahead_s > self._plan.max_duration_s:
            raise ConfigurationError(
                f"the start lies {ahead_s:.0f} s ahead, and the run may last {self._plan.max_duration_s:g} s"
            )
        loop = asyncio.get_running_loop()
        reached: asyncio.Future[None] = loop.create_future()
        alarm = new_alarm(loop, lambda: None if reached.done() else reached.set_result(None))
        try:
            alarm.set(at_ns)
            await asyncio.wait(
                self._or_aborted(reached),
                timeout=max(ahead_s, 0.0) + 1.0,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            alarm.close()
        return self._aborted is None or not self._aborted.done()

    def nothing(self) -> RecordBatch:
        """Return the records of a run that was aborted before its first request."""
        return self._finish(
            time.time_ns(), cut_short=self._cut_short("aborted"), shift_ns=0, lag_ns=0, cpu_share=0.0
        )

    async def measure(self) -> RecordBatch:
        """Send, wait, and return the records."""
        loop = asyncio.get_running_loop()
        with errors_caught(loop, self._pacer.done), collector_at_rest():
            lag = LagSampler(loop)
            offset_ns = realtime_offset_ns()
            begun_cpu_s = time.process_time()
            self._begun_s = time.monotonic()
            now_ns = time.time_ns()
            start_ns = now_ns if self._plan.start_at_ns is None else self._plan.start_at_ns
            self._pacer.start(start_ns)
            try:
                cut_short = await self._until_done()
            finally:
                lag_ns = lag.stop()
            cpu_share = (time.process_time() - begun_cpu_s) / (time.monotonic() - self._begun_s)
            shift_ns = realtime_offset_ns() - offset_ns
        self._report()
        return self._finish(
            start_ns,
            cut_short=cut_short,
            shift_ns=shift_ns,
            lag_ns=lag_ns,
            cpu_share=cpu_share,
            late_ns=max(now_ns - start_ns, 0),
        )

    def _finish(
        self,
        start_ns: int,
        *,
        cut_short: str | None,
        shift_ns: int,
        lag_ns: int,
        cpu_share: float,
        late_ns: int = 0,
    ) -> RecordBatch:
        last_ns = self._recorder.last_end_ns or start_ns
        drain_ns = last_ns if self._pacer.drain_ns is None else self._pacer.drain_ns
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
                planned=self._planned(),
                open_loop=self._plan.due_ns is not None,
                late_start_ns=late_ns,
                connection_reuse=self._plan.connection_reuse,
                insecure=self._plan.insecure,
                proxy=self._transport.proxy,
                reopened=self._transport.reopened,
                cut_short=cut_short,
            )
        )

    def _planned(self) -> int | None:
        """What the plan says, unless it is a closed loop whose duration was over before its count was full."""
        return None if self._pacer.halted and self._plan.due_ns is None else self._plan.planned

    async def _until_done(self) -> str | None:
        """Wait for the end of the run; returns why it was cut short, if it was."""
        done, aborted, plan = self._pacer.done, self._aborted, self._plan
        grace_s = inf if plan.duration_s is None else plan.duration_s + plan.grace_period_s
        while True:
            elapsed_s = time.monotonic() - self._begun_s
            left_s = plan.max_duration_s - elapsed_s
            await asyncio.wait(
                self._or_aborted(done),
                timeout=max(min(left_s, grace_s - elapsed_s, _PROGRESS_PERIOD_S), 0.0),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if done.done():
                done.result()
                return None
            if aborted is not None and aborted.done():
                return await self._cut("aborted")
            if left_s <= 0:
                return await self._cut(f"it reached its longest duration of {plan.max_duration_s:g} s")
            if elapsed_s >= grace_s:
                await self._cut("its grace period is over")  # which the plan has foreseen: no reason to tell
                return None
            self._report()

    def _or_aborted(self, future: asyncio.Future[Any]) -> set[asyncio.Future[Any]]:
        return {future} if self._aborted is None else {future, self._aborted}

    async def _cut(self, reason: str) -> str:
        reason = self._cut_short(reason)
        self._pacer.cut()
        await asyncio.wait_for(self._pacer.done, _CUT_GRACE_S)
        return reason

    def _cut_short(self, reason: str) -> str:
        of = "" if self._plan.planned is None else f" of {self._plan.planned}"
        return f"{reason}; {self._pacer.sent}{of} requests had been sent"

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    planned=self._plan.planned,
                    sent=self._pacer.sent,
                    ended=self._recorder.rows,
                    failed=self._recorder.failed,
                    elapsed_s=time.monotonic() - self._begun_s,
                )
            )
