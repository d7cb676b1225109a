"""What is shown while a measurement runs, on a terminal and elsewhere (surface.md 3)."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest
from perf_suite import FAST, ONE_TEST

from pytest_aiperf.exporters.progress_text import ProgressReport, progress_text
from pytest_aiperf.measure.runs import Progress


def at(done, *, run=2, runs=3, total=220, errors=0, phase="run"):
    return Progress(phase=phase, run=run, runs=runs, done=done, total=total, errors=errors)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (at(110), "run 2 of 3  110/220 requests  55/s  6 s left"),
        (at(0), "run 2 of 3  0/220 requests"),
        (at(110, errors=3), "run 2 of 3  110/220 requests  55/s  6 s left  3 failed"),
        (at(110, total=0), "run 2 of 3  110 requests  55/s"),
        (at(110, run=1, runs=1, phase="rehearsal"), "rehearsal  110/220 requests  55/s  2 s left"),
    ],
)
def test_a_report_in_one_line(progress, text):
    assert progress_text(progress, 2.0) == text


class Recording:
    def __init__(self):
        self.shown = []

    def show(self, text):
        self.shown.append(text)


def test_not_more_often_than_asked_and_the_rate_is_that_of_the_run():
    now, screen = [100.0], Recording()
    report = ProgressReport("test_chat", screen, 0.25, lambda: now[0])
    for done in range(100):
        now[0] += 0.01
        report(at(done, run=1))
    assert len(screen.shown) == 4
    now[0] += 5
    report(at(0, run=2))
    now[0] += 1
    report(at(50, run=2))
    assert screen.shown[-1] == "test_chat  run 2 of 3  50/220 requests  50/s  8 s left"


def on_a_terminal(pytester, *arguments):
    """Run pytest on a pseudo-terminal and return all that it wrote."""
    pytester.makepyfile(test_perf=ONE_TEST)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", f"--aiperf-endpoint={FAST}", "--aiperf-update", *arguments]
    with subprocess.Popen(command, cwd=pytester.path, stdout=theirs, stderr=theirs, stdin=theirs) as process:
        os.close(theirs)
        seen, deadline = b"", time.monotonic() + 60
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 1.0)[0]:
                try:
                    seen += os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
        process.wait(10)
    os.close(ours)
    assert process.returncode == 0, seen.decode()
    return seen.decode()


def screen_of(output):
    """What stands on the screen in the end: a carriage return writes over a line."""
    lines = []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", output).split("\n"):
        shown = ""
        for part in line.rstrip("\r").split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


def test_a_live_line_on_a_terminal_that_is_gone_in_the_end(pytester):
    output = on_a_terminal(pytester)
    assert re.search(r"\rtest_chat  run \d of 5  \d+/\d+ requests", output)
    screen = screen_of(output)
    assert not [line for line in screen if "requests  " in line]
    assert [line for line in screen if re.match(r"test_perf\.py \.\s+\[100%\]", line)]


def test_a_live_line_beside_verbose_output(pytester):
    screen = screen_of(on_a_terminal(pytester, "-v"))
    assert [line for line in screen if re.match(r"test_perf\.py::test_chat PASSED\s+\[100%\]", line)]


def test_nothing_is_shown_by_workers_nor_where_little_is_to_be_said(pytester):
    assert "requests  " not in on_a_terminal(pytester, "-n1")
    assert "requests  " not in on_a_terminal(pytester, "-qq")
