"""Ctrl-C and kill -9: it stops at once, writes nothing, and leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from perf_suite import FAST
from process_family import DEADLINE_S, family, load_workers, until

LONG = """
    import os
    import pytest

    @pytest.mark.aiperf(concurrency=4, isl=8, osl=4, request_count=2000)
    def test_chat(aiperf):
        open("started", "w").write(str(os.getpid()))
        aiperf.run()
"""
BEFORE_THE_BODY = (
    LONG.replace("(aiperf)", "(stand, aiperf_result)")
    + """
    @pytest.fixture
    def stand():
        open("started", "w").write(str(os.getpid()))
"""
)
ASYNC = LONG.replace("aiperf.run()", "__import__('asyncio').run(aiperf.arun())")
ONE_WAITS = LONG.replace(
    "def test_chat(aiperf)", "@pytest.mark.parametrize('part', range(2))\n    def test_chat(aiperf, part)"
)
AFTER_ANOTHER = LONG.replace(
    "    @pytest",
    """
    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
    def test_before(aiperf):
        aiperf.run()

    @pytest""",
    1,
)


@pytest.fixture
def start(request, pytester):
    """Start pytest in a session of its own and wait until its load runs; whatever happens, it is ended."""
    return lambda *arguments, text=LONG: _start(request, pytester, text, *arguments)


def _start(request, pytester, text: str, *arguments: str) -> subprocess.Popen[str]:
    # A job in the background of a shell script ignores Ctrl-C, and so would what it starts.
    request.addfinalizer(partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pytester.makepyfile(text)
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


@pytest.mark.parametrize(
    ("text", "arguments"),
    [(LONG, ()), (LONG, ("-n1",)), (ONE_WAITS, ("-n2",)), (BEFORE_THE_BODY, ()), (ASYNC, ())],
    ids=["alone", "n1", "n2-one-waits", "before-the-body", "async"],
)
def test_ctrl_c_ends_the_run_and_writes_nothing(pytester, start, text, arguments):
    process = start(*arguments, text=text)
    asked = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE_S)
    print(f"ended {time.monotonic() - asked:.2f} s after Ctrl-C")
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert not list(pytester.path.rglob("__aiperf__"))
    until(lambda: not family(process.pid), "the processes to end")


def test_ctrl_c_keeps_what_was_measured_before(pytester, start):
    process = start("--aiperf-json=out.json", text=AFTER_ANOTHER)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert [path.name[:11] for path in pytester.path.rglob("__aiperf__/**/*.json")] == ["test_before"]
    document = json.loads((pytester.path / "out.json").read_text())
    assert [m["test"].rpartition("::")[2] for m in document["measurements"]] == ["test_before"]


@pytest.mark.parametrize(
    ("text", "arguments", "ending"),
    [
        (LONG, (), signal.SIGKILL),
        (ONE_WAITS, ("-n2",), signal.SIGKILL),
        (ONE_WAITS, ("-n2",), signal.SIGTERM),
    ],
    ids=["alone", "n2", "n2-sigterm"],
)
def test_the_end_of_pytest_leaves_no_process_behind(pytester, start, text, arguments, ending):
    process = start(*arguments, text=text)
    os.kill(process.pid, ending)
    process.communicate(timeout=DEADLINE_S)
    until(lambda: not family(process.pid), "the processes to end")
    assert not list(pytester.path.rglob("__aiperf__"))


def test_a_killed_load_worker_is_an_error_that_says_so(pytester, start):
    process = start()
    os.kill(load_workers(process.pid)[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED
    assert "ProcessDiedError: load_worker" in output
    assert "SIGKILL" in output
    assert not list(pytester.path.rglob("__aiperf__"))
