"""Make runs: each one the same workload, checked as soon as it is over, repeated when it was spoilt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from pytest_aiperf.common.errors import EndpointError, MeasurementError
from pytest_aiperf.common.records import ErrorGroup, Outcome, RecordBatch
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.measure.run_data import RunData, summarise
from pytest_aiperf.measure.validity import Check, check_run
from pytest_aiperf.measure.workload import Workload

REPEATS: Final = 2
"""A run that something outside spoilt (busy client, stepped clock) is made again so often in a measurement."""
SETTLE_S: Final = 1.0
"""Pause before that: what spoils a run seldom lasts."""
_SPOILT: Final = ("client_cpu_share", "clock_step_ms", "littles_law")


class LoadRunner(Protocol):
    """Whatever can send a plan: the load process, in all but tests."""

    def run(
        self,
        plan: LoadPlan,
        on_progress: Callable[[int, int, int], None] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> RecordBatch:
        """Send the plan and return its records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a measurement stands."""

    phase: str
    """``rehearsal``, ``run`` or ``confirmation``."""
    run: int
    runs: int
    done: int
    total: int
    errors: int


@dataclass(slots=True, kw_only=True)
class RunMaker:
    """Sends the workload again and again and keeps what the runs say."""

    load: LoadRunner
    plan: LoadPlan
    workload: Workload
    config: AIPerfConfig
    stall_threshold_ms: float | None
    on_progress: Callable[[Progress], None] | None = None
    checks: list[Check] = field(default_factory=list)
    """Of the accepted runs, and of a run that could not be accepted."""
    repeated: int = 0
    last_run_s: float = 0.0

    def rehearse(self) -> None:
        """Send the whole workload once and throw the figures away: caches fill, clocks rise, compilers finish.

        Raises:
            EndpointError: not one request succeeded; the text has the server's own message.
        """
        batch = self._send(self.plan, "rehearsal", 1, 1)
        if not (batch.outcome == Outcome.OK).any():
            raise EndpointError(f"{self.plan.url}: no request succeeded. {describe_errors(batch.errors)}")

    def probe(self) -> None:
        """Send single requests until one succeeds, at most three, so that a wrong URL, model or key is told at once.

        Raises:
            EndpointError: none did; the text has the server's own message.
        """
        errors: list[ErrorGroup] = []
        for _ in range(3):
            batch = self._send(replace(self.plan, bodies=self.plan.bodies[:1], concurrency=1), "probe", 1, 1)
            if batch.outcome[0] == Outcome.OK:
                return
            errors = [*batch.errors]
        raise EndpointError(f"{self.plan.url}: {describe_errors(errors)}")

    def run(self, phase: str, index: int, of: int) -> RunData:
        """Make one run; a spoilt one is made again while repeats are left.

        Raises:
            MeasurementError: the run ended before any request did.
        """
        while True:
            data = summarise(
                self._send(self.plan, phase, index, of),
                self.workload,
                streaming=self.config.endpoint.streaming,
                stall_threshold_ms=self.stall_threshold_ms,
            )
            checks = check_run(data, self.config)
            spoilt = any(c.check in _SPOILT and not c.ok and c.fatal for c in checks)
            if spoilt and self.repeated < REPEATS:
                self.repeated += 1
                time.sleep(SETTLE_S)
                continue
            self.checks.extend(checks)
            return data

    def _send(self, plan: LoadPlan, phase: str, index: int, of: int) -> RecordBatch:
        report = self.on_progress
        total = len(plan.bodies)

        def forward(sent: int, done: int, errors: int) -> None:
            if report is not None:
                report(Progress(phase=phase, run=index, runs=of, done=done, total=total, errors=errors))

        forward(0, 0, 0)
        started = time.monotonic()
        batch = self.load.run(plan, forward)
        self.last_run_s = time.monotonic() - started
        if not len(batch):
            raise MeasurementError(
                f"{plan.url}: the run ended before any request did: {batch.facts.cut_short}"
            )
        return batch


def describe_errors(errors: Sequence[ErrorGroup]) -> str:
    """Return the groups in one line each, the most frequent first."""
    if not errors:
        return "The server gave no reason."
    ordered = sorted(errors, key=lambda e: -e.count)
    return "\n".join(
        f"{e.count} x {e.type}{'' if e.code is None else f' {e.code}'}: {e.message}" for e in ordered
    )


def merge_errors(batches: Sequence[RecordBatch]) -> Sequence[ErrorGroup]:
    """Return the error groups of several runs, added up."""
    counts: dict[tuple[str, int | None, str], int] = {}
    for batch in batches:
        for group in batch.errors:
            identity = (group.type, group.code, group.message)
            counts[identity] = counts.get(identity, 0) + group.count
    return [ErrorGroup(type=t, code=c, message=m, count=n) for (t, c, m), n in counts.items()]
