"""A bench on which measurements are made against the scripted load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from scripted_load import ScriptedLoad, Server, VirtualTime

from pytest_aiperf.baseline import store
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.measure.measure import MeasureRequest, measure
from pytest_aiperf.measure.measurement import Measurement
from pytest_aiperf.measure.runs import MadeRun
from pytest_aiperf.measure.slo import Slo

OTHER = "http://127.0.0.1:8"
TEST = "tests/test_chat.py::test_chat"


@dataclass
class Bench:
    """One test's measurements, one after another, with one baseline file."""

    path: Path
    time: VirtualTime
    restarts: int = 0
    phases: list[str] = field(default_factory=list)
    """Of the last measurement: what was sent, in order."""
    load: ScriptedLoad | None = None

    def measure(
        self,
        server: Server | Callable[[int], Server] = Server(),  # noqa: B008 (frozen)
        *,
        update: tuple[str, ...] = (),
        tolerance: dict[str, object] | None = None,
        metrics: list[str] | None = None,
        baseline: bool = True,
        keep: bool = True,
        url: str | list[str] = "http://127.0.0.1:9",
        against: Server | Callable[[int], Server] | None = None,
        against_url: str = OTHER,
        slos: Sequence[Slo] = (),
        on_run: Callable[[MadeRun], None] | None = None,
        **options: Any,
    ) -> Measurement:
        """Measure; what is to be stored is stored, unless not to `keep` it."""
        given = {"model": "m", "osl": 4, "isl": 8, "request_count": 60, "concurrency": 2} | options
        config = to_aiperf_config(
            CLIConfig(**given),
            url=url,
            # Wide enough for a verdict after three runs against a single session.
            tolerance={"ttft.p50": "20%", "itl.p50": "20%", "latency.p95": "20%"} | (tolerance or {}),
            metrics=metrics,
        )
        self.load = ScriptedLoad(server, self.time, others={} if against is None else {against_url: against})
        self.phases = []
        request = MeasureRequest(
            config=config,
            test=TEST,
            baseline_path=self.path if baseline else None,
            against=() if against is None else (against_url,),
            slos=tuple(slos),
            update=frozenset(update),
            restart=self._restart,
            on_run=on_run,
        )
        measurement = measure(request, load=self.load, on_progress=self._progress)
        if measurement.to_store is not None and keep:
            store.save(self.path, store.dump(measurement.to_store))
        return measurement

    def record(self, server: Server = Server(), **options: Any) -> Measurement:  # noqa: B008 (frozen)
        """Measure and store as a baseline."""
        return self.measure(server, update=("all",), **options)

    def time_of_a_run(self, server: Server = Server(), **options: Any) -> float:  # noqa: B008 (frozen)
        """Seconds that each run takes."""
        before = self.time.now_s
        self.measure(server, baseline=False, **options)
        return (self.time.now_s - before) / 4  # a rehearsal and three runs; a probe takes next to nothing

    def _restart(self) -> None:
        self.restarts += 1

    def _progress(self, progress) -> None:
        if progress.done == 0:
            self.phases.append(f"{progress.phase} {progress.run}/{progress.runs}")

    @property
    def order(self) -> str:
        """Which server each plan of the last measurement went to: A the one compared with, B the endpoint."""
        return "".join("A" if plan.url.startswith(OTHER) else "B" for plan in self.load.plans)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    time = VirtualTime()
    monkeypatch.setattr("pytest_aiperf.measure.budget.time", time)
    monkeypatch.setattr("pytest_aiperf.measure.stored.time", time)
    monkeypatch.setattr("pytest_aiperf.measure.runs.time", time)
    return Bench(path=tmp_path / "test_chat.json", time=time)
