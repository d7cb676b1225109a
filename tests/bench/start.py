"""What `aiperf.run()` costs beyond the load itself: the first in a pytest session, and the later ones.

    python tests/bench/start.py [--sessions N] [--runs N] [--quick]

Each session is a pytest of its own with the plugin as users have it, against truth_server.c; its one test calls
`aiperf.run()` again and again. A call counts from its beginning to its end, the first one from the test's setup, where
the fixture is imported. From that goes the load, as the server saw it: for each plan from the receipt of its first
request to its last token (a plan begins where request number 0 comes in), and the pauses that the measurement makes
on purpose. What is left: reading options, building prompts, starting the load process, opening connections, bringing
over records, metrics, the verdict. Two kinds of call: against a stored baseline (probe, rehearsal, three runs or more,
verdict), and with `--aiperf-mode=quick` (probe, one run).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from compiled import environment
from figures import Figure, publish
from truth_server import TruthServer, truth_server

from pytest_aiperf.engine.request_bytes import request_number

TOKENS, FIRST_MS, GAP_MS = 8, 10.0, 1.0
CONFTEST = """
import time
import pytest

class Clock:
    setup_ns = 0
    paused_s = 0.0

sleep = time.sleep

def counted_sleep(seconds):
    Clock.paused_s += seconds
    sleep(seconds)

time.sleep = counted_sleep

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    Clock.setup_ns = time.time_ns()

@pytest.fixture
def clock():
    return Clock
"""
SUITE = """
import json, time
from pathlib import Path
import pytest
from pytest_aiperf.common.errors import InvalidMeasurementError

@pytest.mark.aiperf(isl=64, osl=8, request_count=60, concurrency=4)
def test_start(clock, aiperf):
    calls = []
    for number in range({runs}):
        clock.paused_s = 0.0
        began_ns = time.time_ns()
        try:
            verdict = aiperf.run(f"call-{{number}}").verdict
        except InvalidMeasurementError:
            verdict = "invalid"
        calls.append([began_ns if number else clock.setup_ns, time.time_ns(), clock.paused_s, verdict])
    Path("calls.json").write_text(json.dumps(calls))
"""


INI = """[pytest]
aiperf_tolerance =
    request_latency.p50 = 100%
    time_to_first_token.p50 = 100%
    inter_token_latency.p50 = 100%
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One `aiperf.run()`."""

    overhead_ms: float
    plans: int
    verdict: str


def session(folder: Path, server: TruthServer, *options: str) -> list[Call]:
    """Run the suite once; returns its calls."""
    server.take_log()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--aiperf-model=m", *options]
    done = subprocess.run(
        [*command, f"--aiperf-endpoint={server.server.base_url}", str(folder / "test_start.py")],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    plans = spans(server.take_log())
    calls: Sequence[tuple[int, int, float, str]] = json.loads((folder / "calls.json").read_text())
    return [measured(call, plans) for call in calls]


def measured(call: tuple[int, int, float, str], plans: Sequence[tuple[int, int]]) -> Call:
    began_ns, ended_ns, paused_s, verdict = call
    inside = [end - start for start, end in plans if began_ns <= start and end <= ended_ns]
    assert inside, "the server saw no load during a call"
    overhead_ns = ended_ns - began_ns - sum(inside) - paused_s * 1e9
    return Call(overhead_ms=overhead_ns / 1e6, plans=len(inside), verdict=verdict)


def spans(log: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    """Receipt of the first request and send of the last token of each plan."""
    starts = [i for i, row in enumerate(log) if request_number(row["id"]) == 0]
    parts = [log[a:b] for a, b in zip(starts, [*starts[1:], len(log)], strict=True)]
    return [(part[0]["t_recv_ns"], max(row["sent_ns"][-1] for row in part)) for part in parts]


def report(title: str, sessions: Sequence[Sequence[Call]]) -> list[Figure]:
    print(f"\n{title}: overhead of each call in ms (plans sent, verdict)")
    for calls in sessions:
        print("  " + "  ".join(f"{c.overhead_ms:.1f} ({c.plans}, {c.verdict})" for c in calls), flush=True)
    first = [calls[0].overhead_ms for calls in sessions]
    later = [c.overhead_ms for calls in sessions for c in calls[1:]]
    return [
        Figure(name=f"{title}: first call, median", value=median(first), unit="ms", at_most=700),
        Figure(name=f"{title}: later calls, median", value=median(later), unit="ms", at_most=15),
        Figure(name=f"{title}: later calls, p90", value=float(np.percentile(later, 90)), unit="ms"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="two sessions of four calls")
    options = parser.parse_args()
    sessions, runs = (2, 4) if options.quick else (options.sessions, options.runs)
    with (
        tempfile.TemporaryDirectory() as name,
        truth_server(tokens=TOKENS, first_ms=FIRST_MS, gap_ms=GAP_MS) as server,
    ):
        folder = Path(name)
        (folder / "pytest.ini").write_text(INI)
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_start.py").write_text(SUITE.format(runs=runs))
        session(folder, server, "--aiperf-update=all")
        check = [session(folder, server) for _ in range(sessions)]
        quick = [session(folder, server, "--aiperf-mode=quick") for _ in range(sessions)]
    figures = report("with a baseline", check) + report("quick mode", quick)
    publish("start", figures, sessions=sessions, runs=runs)


if __name__ == "__main__":
    main()
