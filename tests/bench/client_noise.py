"""How late a load process is on this machine, and whether that moves the figures that are judged.

    python tests/bench/client_noise.py [--runs N] [--busy N] [--load NAME]

Makes runs against the embedded server, whose answers take 90 ms whatever happens: 1, 8 and 32 slots, and an open loop
of 200 requests/s. `--busy N` has N processes spin beside it. A row holds the median and the highest of the runs, and
the share of the runs that failed the check. The last column is the median latency: where it stays, lateness moved
nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.plan import load_plan
from pytest_aiperf.measure.run_data import RunData, summarise
from pytest_aiperf.measure.run_window import context_of, run_window_of
from pytest_aiperf.measure.schedule import build_schedule
from pytest_aiperf.measure.target import find_target
from pytest_aiperf.measure.validity import Check, check_run
from pytest_aiperf.measure.workload import build_workload
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.load_process import LoadProcess
from pytest_aiperf.services.mock_service import MockServerProcess

LOADS: Mapping[str, Mapping[str, Any]] = {
    "1 slot": {"concurrency": 1, "request_count": 40},
    "8 slots": {"concurrency": 8, "request_count": 200},
    "32 slots": {"concurrency": 32, "request_count": 400},
    "200/s": {"request_rate": 200.0, "request_count": 400},
}
CHECKS = (
    "turnaround_p99_ms",
    "loop_lag_p99_ms",
    "client_cpu_share",
    "littles_law",
    "schedule_lag_p99_ms",
    "schedule_lag_share",
)
LONGEST_S = 3600


def one_run(load: LoadProcess, config: AIPerfConfig) -> tuple[RunData, Mapping[str, Check]]:
    """Make a run; return it and its checks by name."""
    workload = build_workload(config, model="mock", schedule=build_schedule(config))
    data = summarise(
        load.run(load_plan(config, find_target(config), workload)),
        run_window_of(config, workload),
        context=context_of(config, workload, graded=False),
        stall_threshold_ms=None,
    )
    return data, {check.check: check for check in check_run(data, config)}


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many CPUs busy; each process ends by itself, should this one be killed."""
    spin = f"import time\nend = time.monotonic() + {LONGEST_S}\nwhile time.monotonic() < end: pass"
    spinning = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def rows(name: str, runs: Sequence[tuple[RunData, Mapping[str, Check]]]) -> Iterator[str]:
    """Return the lines of one load."""
    latencies = [float(np.median(data.values["request_latency"])) for data, _ in runs]
    for check in CHECKS:
        found = [checks[check] for _, checks in runs if check in checks]
        values = [c.value for c in found if c.value is not None]
        if values:
            failed = 100 * np.mean([not c.ok for c in found])
            yield (
                f"{name:<9}{check:<22}{np.median(values):>9.3f}{max(values):>9.3f}{failed:>8.0f} %"
                f"{np.median(latencies):>12.2f} ms ({min(latencies):.2f} .. {max(latencies):.2f})"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--load", choices=LOADS, help="only this one")
    options = parser.parse_args()
    print(f"{'load':<9}{'check':<22}{'median':>9}{'highest':>9}{'failed':>10}{'latency p50':>15}")
    with (
        tempfile.TemporaryDirectory() as logs,
        MockServerProcess(MockOptions(ttft_ms=30, itl_ms=4), log_dir=Path(logs)) as mock,
        LoadProcess(log_dir=Path(logs)) as load,
        busy(options.busy),
    ):
        for name, section in LOADS.items():
            if options.load not in (None, name):
                continue
            config = AIPerfConfig.model_validate(
                {
                    "endpoint": {"url": mock.url, "model": "mock"},
                    "load": section,
                    "input": {"isl": 32, "osl": 16},
                }
            )
            print(*rows(name, [one_run(load, config) for _ in range(options.runs)]), sep="\n", flush=True)


if __name__ == "__main__":
    main()
