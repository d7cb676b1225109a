"""What the negative control measures with: real load processes, real servers, the real use case, real files.

Two servers, so that a measurement can compare them; each can be made slower, or worse, from one measurement to the
next. Nothing of the product stands in for anything here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.baseline import store
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.measure.measure import MeasureRequest, measure
from pytest_aiperf.measure.measurement import Measurement
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.load_pool import LoadPool
from pytest_aiperf.services.mock_service import MockServerProcess

SOUND: Final[Mapping[str, float]] = {
    "ttft_ms": 40.0,
    "itl_ms": 10.0,
    "jitter": 0.05,
    "slow_pct": 0.0,
    "ttft_slow_pct": 0.0,
    "itl_slow_pct": 0.0,
    "error_pct": 0.0,
    "stall_pct": 0.0,
    "stall_ms": 0.0,
    "capacity": 0,
}
"""Delays that dwarf what a busy machine adds to them. A whole answer of four tokens takes 70 ms."""
LOAD: Final[Mapping[str, Any]] = {"isl": 8, "osl": 4, "concurrency": 48, "warmup_request_count": 48}
"""So many at once that a run of the 200 requests that a p95 takes stays half a second."""
RUNS: Final = 5
SESSIONS: Final = 3
TRIES: Final = 3
"""A measurement that says of itself that it was spoilt or too noisy to tell is made so often. A verdict never is."""


@dataclass(frozen=True, kw_only=True)
class ControlBench:
    """One test's measurements against one baseline file, or against the other server."""

    path: Path
    load: LoadPool
    server: MockServerProcess
    other: MockServerProcess
    options: Mapping[str, Any]

    def check(self, **server: float) -> Measurement:
        """Measure the server, made like this, against the baseline."""
        self.server.change(**(SOUND | server))
        return self._told()

    def compare(self, *, before: Mapping[str, float], now: Mapping[str, float]) -> Measurement:
        """Measure both servers in turn, made like this."""
        self.other.change(**(SOUND | before))
        self.server.change(**(SOUND | now))
        return self._told(against=(self.other.url,))

    def record(self, sessions: int) -> None:
        """Add sessions of the sound server to the baseline."""
        self.server.change(**SOUND)
        for _ in range(sessions):
            recorded = self._told(update=frozenset({"all"}))
            assert recorded.to_store is not None, recorded.judgement
            store.save(self.path, store.dump(recorded.to_store))

    def _told(self, **how: Any) -> Measurement:
        measurement = self._measure(**how)
        for _ in range(TRIES - 1):
            if measurement.verdict not in ("invalid", "inconclusive"):
                break
            measurement = self._measure(**how)
        return measurement

    def _measure(self, **how: Any) -> Measurement:
        given = dict(self.options)
        judged = {name: given.pop(name) for name in ("tolerance", "metrics")}
        config = to_aiperf_config(
            CLIConfig(**LOAD, model="mock", num_profile_runs=RUNS, **given), url=self.server.url, **judged
        )
        request = MeasureRequest(config=config, test="control", baseline_path=self.path, **how)
        return measure(request, load=self.load)


@contextmanager
def control_bench(folder: Path, **options: Any) -> Iterator[ControlBench]:
    """Start the processes; `options` are those of the user, `tolerance` and `metrics` among them."""
    with (
        LoadPool(log_dir=folder) as load,
        MockServerProcess(MockOptions(), log_dir=folder) as server,
        MockServerProcess(MockOptions(), log_dir=folder) as other,
    ):
        yield ControlBench(
            path=folder / "baseline.json", load=load, server=server, other=other, options=options
        )
