"""Ctrl-C and kill -9: it stops at once, writes nothing, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from perf_suite import FAST

LONG = """
    import os
    import pytest

    @pytest.mark.aiperf(concurrency=4, isl=8, osl=4, request_count=2000)
    def test_chat(aiperf):
        open("started", "w").write(str(os.getpid()))
        aiperf.run()
"""
DEADLINE_S = 30


@pytest.fixture
def start(request, pytester):
    """Start pytest in a session of its own and wait until its load runs; whatever happens, it is ended."""
    return lambda *arguments: _start(request, pytester, *arguments)


def _start(request, pytester, *arguments: str) -> subprocess.Popen[str]:
    pytester.makepyfile(LONG)
    command = [sys.executable, "-m", "pytest", f"--aiperf-endpoint={FAST}", "--aiperf-update", *arguments]
    process = subprocess.Popen(
        command,
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    request.addfinalizer(lambda: [os.kill(pid, signal.SIGKILL) for pid in family(process.pid)])
    until(lambda: (pytester.path / "started").exists() and len(family(process.pid)) >= 3, "the load to run")
    time.sleep(1.5)  # into the rehearsal, which takes 20 s
    return process


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


def until(condition, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s for {what}"
        time.sleep(0.02)


@pytest.mark.parametrize("arguments", [(), ("-n1",)], ids=["alone", "n1"])
def test_ctrl_c_ends_the_run_and_writes_nothing(pytester, start, arguments):
    process = start(*arguments)
    asked = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE_S)
    print(f"ended {time.monotonic() - asked:.2f} s after Ctrl-C")
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert not list(pytester.path.rglob("__aiperf__"))
    until(lambda: not family(process.pid), "the processes to end")


def test_kill_9_leaves_no_process_behind(pytester, start):
    process = start()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=DEADLINE_S)
    until(lambda: not family(process.pid), "the processes to end")
    assert not list(pytester.path.rglob("__aiperf__"))


def test_a_killed_load_worker_is_an_error_that_says_so(pytester, start):
    process = start()
    workers = [
        pid for pid in family(process.pid) if "load_worker" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    os.kill(workers[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED
    assert "ProcessDiedError: load_worker" in output
    assert "SIGKILL" in output
    assert not list(pytester.path.rglob("__aiperf__"))
