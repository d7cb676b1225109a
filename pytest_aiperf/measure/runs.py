"""Make runs: each one the same workload, checked as soon as it is over, repeated when it was spoilt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from pytest_aiperf.common.errors import EndpointError, MeasurementError
from pytest_aiperf.common.records import ErrorGroup, Outcome, RecordBatch
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.coercion import AUTO_WORKERS
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.measure.plan import single_request
from pytest_aiperf.measure.run_data import RunData, summarise
from pytest_aiperf.measure.run_window import RunWindow, context_of, run_window_of
from pytest_aiperf.measure.tenants import TenantWatch
from pytest_aiperf.measure.validity import SPOILT_FROM_OUTSIDE, Check, check_run, check_steady
from pytest_aiperf.measure.workload import Workload
from pytest_aiperf.metrics.base_metric import MetricContext
from pytest_aiperf.services.worker_count import free_cpus, workers_for

REPEATS: Final = 2
"""A run that something outside spoilt (busy client, stepped clock) is made again so often in a measurement."""
SETTLE_S: Final = 1.0
"""Pause before that: what spoils a run seldom lasts."""


class LoadRunner(Protocol):
    """Whatever can send a plan: the load processes, in all but tests."""

    def run(
        self,
        plan: LoadPlan,
        on_progress: Callable[[int, int, int], None] | None = None,
        *,
        deadline_s: float | None = None,
        workers: int = 1,
    ) -> RecordBatch:
        """Send the plan, by so many processes, and return its records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a measurement stands."""

    phase: str
    """``rehearsal``, ``run`` or ``confirmation``."""
    run: int
    runs: int
    done: int
    total: int
    """Planned requests; 0 where a duration decides."""
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeRun:
    """One run as it was made, for one who keeps its records: also a run that is not accepted."""

    phase: str
    """``run``, ``confirmation`` or ``quick``."""
    number: int
    """Which run of its session, from 1."""
    attempt: int
    """1; more where something outside spoilt the run and it was made again."""
    against: bool
    """It was made of the server that is compared with."""
    data: RunData
    bodies: Sequence[bytes] = ()
    """What was sent, by request of the plan."""


@dataclass(slots=True, kw_only=True)
class RunMaker:
    """Sends the workload again and again and keeps what the runs say."""

    load: LoadRunner
    plan: LoadPlan
    workload: Workload
    config: AIPerfConfig
    stall_threshold_ms: float | None
    fresh_bodies: Callable[[], Sequence[bytes]] | None = None
    """Makes the requests of each run anew; None sends the same ones."""
    on_progress: Callable[[Progress], None] | None = None
    on_run: Callable[[MadeRun], None] | None = None
    """Is given every run but probes and rehearsals, as soon as it is over."""
    against: bool = False
    """Its server is the one that is compared with."""
    checks: list[Check] = field(default_factory=list)
    """Of the accepted runs, and of a run that could not be accepted."""
    repeated: int = 0
    last_run_s: float = 0.0
    workers: int = field(init=False)
    """Load processes; with ``auto`` one, until the rehearsal has shown how many are needed."""
    window: RunWindow = field(init=False)
    context: MetricContext = field(init=False)
    tenants: TenantWatch = field(init=False)

    def __post_init__(self) -> None:
        self.workers = self.config.load.workers or 1
        self.window = run_window_of(self.config, self.workload)
        self.context = context_of(self.config, self.workload, graded=self.plan.expected is not None)
        self.tenants = TenantWatch(config=self.config)

    def rehearse(self) -> None:
        """Send the whole workload once and throw the figures away: caches fill, clocks rise, compilers finish.

        Raises:
            EndpointError: not one request succeeded; the text has the server's own message.
        """
        batch = self._send(self._next_plan(), "rehearsal", 1, 1)
        if self.config.load.workers == AUTO_WORKERS:
            self.workers = _workers_needed(self.plan, batch)
        if not (batch.outcome == Outcome.OK).any():
            raise EndpointError(f"{self.plan.url}: no request succeeded. {describe_errors(batch.errors)}")
        self.tenants.begin()

    def check_session(self, runs: Sequence[RunData]) -> None:
        """Check what only the runs of a session together tell; `rehearse` began it."""
        self.checks.extend([*self.tenants.check(), *check_steady(runs, self.config)])

    def probe(self) -> None:
        """Send single requests until one succeeds, at most three, for each URL: a wrong one is told at once.

        Raises:
            EndpointError: none did; the text has the server's own message.
        """
        for url in self.plan.urls:
            self._probe(replace(single_request(self.plan), url=url))

    def _probe(self, plan: LoadPlan) -> None:
        errors: list[ErrorGroup] = []
        for _ in range(3):
            batch = self._send(plan, "probe", 1, 1)
            if batch.outcome[0] == Outcome.OK:
                return
            errors = [*batch.errors]
        raise EndpointError(f"{plan.url}: {describe_errors(errors)}")

    def run(self, phase: str, index: int, of: int) -> RunData:
        """Make one run; a spoilt one is made again while repeats are left.

        Raises:
            MeasurementError: the run ended before any request did.
        """
        attempt = 0
        while True:
            attempt += 1
            plan = self._next_plan()
            data = summarise(
                self._send(plan, phase, index, of),
                self.window,
                context=self.context,
                stall_threshold_ms=self.stall_threshold_ms,
            )
            if self.on_run is not None:
                self.on_run(
                    MadeRun(
                        phase=phase,
                        number=index,
                        attempt=attempt,
                        against=self.against,
                        data=data,
                        bodies=plan.bodies,
                    )
                )
            _require_requests(data)
            checks = check_run(data, self.config)
            spoilt = any(c.check in SPOILT_FROM_OUTSIDE and not c.ok and c.fatal for c in checks)
            if spoilt and self.repeated < REPEATS:
                self.repeated += 1
                time.sleep(SETTLE_S)
                continue
            self.checks.extend(checks)
            return data

    def _next_plan(self) -> LoadPlan:
        return self.plan if self.fresh_bodies is None else replace(self.plan, bodies=self.fresh_bodies())

    def _send(self, plan: LoadPlan, phase: str, index: int, of: int) -> RecordBatch:
        report = self.on_progress
        total = plan.planned or 0

        def forward(sent: int, done: int, errors: int) -> None:
            if report is not None:
                report(Progress(phase=phase, run=index, runs=of, done=done, total=total, errors=errors))

        forward(0, 0, 0)
        started = time.monotonic()
        batch = self.load.run(plan, forward, workers=self.workers)
        self.last_run_s = time.monotonic() - started
        if not len(batch):
            raise MeasurementError(
                f"{plan.url}: the run ended before any request did: {batch.facts.cut_short}"
            )
        self.tenants.sent(batch)
        return batch


def _workers_needed(plan: LoadPlan, rehearsal: RecordBatch) -> int:
    """Return how many processes the load takes, from how long its requests and answers were in a rehearsal."""
    latency_s = float((rehearsal.t_end - rehearsal.t0).mean()) / 1e9
    return workers_for(
        plan,
        messages_per_request=float(rehearsal.content_count().mean()) if plan.streaming else 0.0,
        latency_s=max(latency_s, 1e-6),
        cpus=free_cpus(plan.urls),
    )


def _require_requests(data: RunData) -> None:
    """Raise a MeasurementError for a run that was complete and that warm-up and ramp took up."""
    facts = data.batch.facts
    complete = facts.cut_short is None and len(data.batch) >= (facts.planned or 0)
    if complete and not data.inside.any():
        raise MeasurementError(
            f"all {len(data.batch)} requests of a run of {facts.end_ns / 1e9:.3g} s are warm-up, or end too late: "
            "nothing is left to measure. Raise the duration or request_count, or shorten warm-up and ramp."
        )


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
