"""A pytest run and all that it started: found by the session that they share, whoever their parent is by now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DEADLINE_S = 30
ANY_NOISE = (
    "--aiperf-validity=littles_law:1,turnaround_p99_ms:9999,loop_lag_p99_ms:9999,late_start_ms:9999,"
    "clock_step_ms:9999,steady_state:1,client_cpu_share:9"
)
"""For tests whose subject is not how well was measured: a busy machine is to fail none of them."""


def family(session: int) -> list[int]:
    """Processes of this session that are not zombies, from /proc."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if entry.isdigit() and int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry))
    return found


def load_workers(session: int) -> list[int]:
    """Those of them that send load."""
    return [pid for pid in family(session) if "load_worker" in _command(pid)]


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s for {what}"
        time.sleep(0.02)


@contextmanager
def pytest_run(folder: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start pytest in a session of its own; whatever happens, all of that is ended."""
    # A job in the background of a shell script ignores Ctrl-C, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | environment,
    )
    signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        for pid in family(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
