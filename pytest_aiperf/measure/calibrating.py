"""Make A/A sessions: the same load against the same server again and again, so that what differs is noise.

A session here is what a pytest invocation is: load processes of its own, a probe, a rehearsal, as many runs as a
recording has. With a restart command each begins with a fresh boot of the server; several loads share the boot, as the
tests of one invocation do. Sessions of different boots are what a check will be compared over, so sessions without a
restart may look more alike than those are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from pytest_aiperf.baseline.schema import BaselineKey, Run
from pytest_aiperf.common.errors import ConfigurationError, InvalidMeasurementError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.answer_length import check_length
from pytest_aiperf.measure.awaiting import wait_until_it_answers
from pytest_aiperf.measure.calibration_task import CalibrationTask
from pytest_aiperf.measure.conclusion import broken, or_invalid
from pytest_aiperf.measure.judged import JudgedMetric, judged_metrics
from pytest_aiperf.measure.measurement import Judgement
from pytest_aiperf.measure.runs import LoadRunner
from pytest_aiperf.measure.schedule import Schedule, build_schedule
from pytest_aiperf.measure.side import Side, key_of, new_side
from pytest_aiperf.measure.terms import Terms, terms_of
from pytest_aiperf.measure.validity import Check, Limits
from pytest_aiperf.services.endpoint_lock import endpoint_lock
from pytest_aiperf.services.worker_count import free_cpus

LEAST_SESSIONS: Final = 2
MOST_SESSIONS: Final = 1000


class OwnedLoad(LoadRunner, Protocol):
    """Load processes that start where a block is entered, and end with it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...


NewLoad = Callable[[int], OwnedLoad]
"""Returns so many load processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """One session of one load is over."""

    task: CalibrationTask
    session: int
    sessions: int
    metrics: Sequence[JudgedMetric]
    runs: Sequence[Run]
    duration_s: float
    problem: str | None = None
    """Why it does not count; it is made again once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSessions:
    """A/A sessions of one load."""

    task: CalibrationTask
    key: BaselineKey
    metrics: Sequence[JudgedMetric]
    terms: Terms
    sessions: Sequence[Sequence[Run]]
    restarted: bool
    """Each began with a fresh boot of the server."""
    repeated: int
    """Sessions that were not valid and were made again."""


class Calibrating:
    """Makes the sessions of all loads. What is wrong with a load or a baseline is told before anything is sent."""

    def __init__(
        self,
        tasks: Sequence[CalibrationTask],
        *,
        sessions: int,
        new_load: NewLoad,
        given: Mapping[str, Any],
        restart: Callable[[], None] | None = None,
        ready_timeout_s: float,
        on_session: Callable[[SessionReport], None] | None = None,
    ) -> None:
        """`given` are the options that were given beside the baselines, for messages.

        Raises:
            ConfigurationError: too few sessions, the judged metrics are wrong, or a load is not its baseline's.
        """
        if not LEAST_SESSIONS <= sessions <= MOST_SESSIONS:
            raise ConfigurationError(
                f"--sessions must be between {LEAST_SESSIONS} and {MOST_SESSIONS}, got {sessions}: one session says "
                "nothing about how much sessions differ; six or more tell"
            )
        self._sessions, self._ready_timeout_s = sessions, ready_timeout_s
        self._restart, self._on_session = restart, on_session
        self._loads = [_Load(task, new_load) for task in tasks]
        for load in self._loads:
            load.check_key(given)

    def measure(self) -> Sequence[LoadSessions]:
        """Make all sessions.

        Raises:
            EndpointError: the restart command failed, or the server cannot be used.
            InvalidMeasurementError: a session was not valid, and was not when it was made again.
            MeasurementError: the load could not be made.
        """
        for number in range(1, self._sessions + 1):
            self._boot()
            for load in self._loads:
                load.sessions.append(self._session(load, number))
        return [load.result(restarted=self._restart is not None) for load in self._loads]

    def _boot(self) -> None:
        if self._restart is not None:
            self._restart()
            self._loads[0].wait_until_it_answers(self._ready_timeout_s)

    def _session(self, load: _Load, number: int) -> Sequence[Run]:
        made = self._made(load, number)
        if made.problem is not None:
            load.repeated += 1
            self._boot()
            made = self._made(load, number)
        if made.problem is not None:
            raise InvalidMeasurementError(
                f"session {number} of {load.task.label} is not valid, and was not when it was made again: "
                f"{made.problem}"
            )
        return made.runs

    def _made(self, load: _Load, number: int) -> SessionReport:
        started_s = time.monotonic()
        runs, problem = load.make_session()
        report = SessionReport(
            task=load.task,
            session=number,
            sessions=self._sessions,
            metrics=load.metrics,
            runs=runs,
            duration_s=time.monotonic() - started_s,
            problem=problem,
        )
        if self._on_session is not None:
            self._on_session(report)
        return report


class _Load:
    """One load: what is sent in each of its sessions, and the sessions so far."""

    def __init__(self, task: CalibrationTask, new_load: NewLoad) -> None:
        self.task = task
        self.sessions: list[Sequence[Run]] = []
        self.repeated = 0
        self._new_load = new_load
        self._config: AIPerfConfig = task.request.checked_config()
        self._schedule: Schedule = build_schedule(self._config)
        self._terms = terms_of(self._config.verdict)
        self.metrics = judged_metrics(self._config, measured=self._schedule.measured)
        self._workers = self._config.load.workers or free_cpus(self._config.endpoint.urls)
        self._key: BaselineKey | None = None

    def check_key(self, given: Mapping[str, Any]) -> None:
        """Raise a ConfigurationError when the load is not its baseline's. Nothing is sent."""
        if self.task.baseline is not None:
            # No block is entered, so no process starts; and the key names the model, so that no server is asked for it.
            side = self._side(self._new_load(1))
            self.task.check_key(key_of(self.task.request, side), given)

    def wait_until_it_answers(self, timeout_s: float) -> None:
        """Wait for a server that was restarted."""
        with self._new_load(1) as load:
            wait_until_it_answers(lambda: self._side(load), timeout_s=timeout_s)

    def make_session(self) -> tuple[Sequence[Run], str | None]:
        """Return the runs of a session, and why it is not valid, None when it is."""
        with endpoint_lock(self._config.endpoint.urls), self._new_load(self._workers) as load:
            side = self._side(load)
            self._key = key_of(self.task.request, side)
            side.maker.probe()
            side.maker.rehearse()
            self._make_runs(side)
        problems = _broken(side)
        if not problems:
            return side.summaries(), None
        return side.summaries(), or_invalid(Judgement(verdict="measured", reason=""), problems).reason

    def result(self, *, restarted: bool) -> LoadSessions:
        """Return what was made."""
        assert self._key is not None  # there was a session
        return LoadSessions(
            task=self.task,
            key=self._key,
            metrics=self.metrics,
            terms=self._terms,
            sessions=self.sessions,
            restarted=restarted,
            repeated=self.repeated,
        )

    def _make_runs(self, side: Side) -> None:
        while len(side.runs) < self._terms.recorded_runs:
            side.run("run", self._terms.recorded_runs)
            if len(side.runs) == 1 and self.task.baseline is not None:
                limits = Limits(self._config)
                side.maker.checks.extend(check_length(self.task.baseline, side.runs, limits, fatal=True))
            if _broken(side):
                return
        side.maker.check_session(side.runs)

    def _side(self, load: LoadRunner) -> Side:
        return new_side(self._config, self._schedule, load=load, on_progress=None)


def _broken(side: Side) -> Sequence[Check]:
    return broken(side.maker.checks, shares_are_judged=False)
