"""One server of a measurement: what is sent to it, and the runs that were made of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pytest_aiperf.baseline.schema import BaselineKey, Run
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.load_key import load_key
from pytest_aiperf.measure.plan import load_plan
from pytest_aiperf.measure.request import MeasureRequest
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.runs import LoadRunner, MadeRun, Progress, RunMaker
from pytest_aiperf.measure.schedule import Schedule
from pytest_aiperf.measure.target import Target, find_target
from pytest_aiperf.measure.workload import Workload, build_bodies, build_workload

CACHE_BUST_LETTERS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Target, workload and runs; the last session is the present one."""

    config: AIPerfConfig
    target: Target
    workload: Workload
    maker: RunMaker
    sessions: list[list[RunData]] = field(default_factory=lambda: [[]])

    @property
    def runs(self) -> list[RunData]:
        """Runs of the present session."""
        return self.sessions[-1]

    @property
    def graded(self) -> bool:
        """Answers are held against expected ones."""
        return self.maker.plan.expected is not None

    @property
    def everything(self) -> Sequence[RunData]:
        """Runs of all sessions."""
        return [data for session in self.sessions for data in session]

    def run(self, phase: str, of: int) -> None:
        """Make the next run of the present session.

        Raises:
            MeasurementError: the run ended before any request did.
        """
        self.runs.append(self.maker.run(phase, len(self.runs) + 1, of))

    def summaries(self, session: int = 0) -> Sequence[Run]:
        """Return what the judge reads."""
        return [data.summary for data in self.sessions[session]]


def new_side(
    config: AIPerfConfig,
    schedule: Schedule,
    *,
    load: LoadRunner,
    on_progress: Callable[[Progress], None] | None,
    on_run: Callable[[MadeRun], None] | None = None,
    against: bool = False,
) -> Side:
    """Return a side; its server is asked for its model where none was given.

    Raises:
        EndpointError: it does not answer.
        ConfigurationError: a certificate, a proxy or a header cannot be used.
    """
    target = find_target(config)
    workload = build_workload(config, model=target.model, schedule=schedule)
    maker = RunMaker(
        load=load,
        plan=load_plan(config, target, workload),
        fresh_bodies=_fresh_bodies(config, workload, target) if config.input.cache_bust else None,
        workload=workload,
        config=config,
        stall_threshold_ms=None,
        on_progress=on_progress,
        on_run=on_run,
        against=against,
    )
    return Side(config=config, target=target, workload=workload, maker=maker)


def key_of(request: MeasureRequest, side: Side) -> BaselineKey:
    """Return what a stored baseline must have in common with this measurement."""
    return BaselineKey(
        test=request.test,
        name=request.name,
        workload=side.workload.digest,
        load=load_key(side.config),
        model=side.target.model,
        **request.accelerator,
    )


def _fresh_bodies(config: AIPerfConfig, workload: Workload, target: Target) -> Callable[[], Sequence[bytes]]:
    """Return what makes requests with a beginning that no cache has seen; equally long, so that runs compare."""

    def make() -> Sequence[bytes]:
        beginning = f"{uuid.uuid4().hex[:CACHE_BUST_LETTERS]}-"
        return build_bodies(config, workload.schedule, model=target.model, beginning=beginning)

    return make
