"""pytest-sugar draws a line over and over, and so do we."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pyte
import pytest
from zoo_suite import FAST, LOAD

PERF = f"""
    import pytest

    @pytest.mark.parametrize("number", range(3))
    @pytest.mark.aiperf({LOAD}, judge=False)
    def test_chat(aiperf, number):
        aiperf.run()
"""


def screens(folder, *arguments):
    """Run pytest on a pseudo-terminal of 100 columns; return the screen after each thing that it wrote."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", f"--aiperf-endpoint={FAST}", "-p", "no:randomly", *arguments]
    environment = os.environ | {"COLUMNS": "100", "LINES": "60"}
    screen = pyte.Screen(100, 60)
    stream, seen = pyte.ByteStream(screen), []
    with subprocess.Popen(
        command, cwd=folder, stdout=theirs, stderr=theirs, stdin=theirs, env=environment
    ) as process:
        os.close(theirs)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 1.0)[0]:
                try:
                    stream.feed(os.read(ours, 65536))
                except OSError:  # the other end is closed
                    break
                seen.append([line.rstrip() for line in screen.display if line.strip()])
        process.wait(10)
    os.close(ours)
    assert process.returncode == 0, "\n".join(seen[-1])
    return seen


@pytest.mark.parametrize("verbosity", [(), ("-v",)], ids=["plain", "v"])
def test_the_live_line_comes_and_goes_and_leaves_their_lines_whole(alone, verbosity):
    alone.write(test_one=PERF, test_two=PERF)
    seen = screens(alone.pytester.path, *verbosity)
    assert any("requests" in line for screen in seen for line in screen)
    end = seen[-1]
    assert not any("requests" in line for line in end)
    drawn = {line.split("  ")[0].strip() for line in end if "✓" in line}
    modules = ("test_one.py", "test_two.py")
    if verbosity:
        assert drawn == {f"{module}::test_chat[{number}] ✓" for module in modules for number in range(3)}
    else:
        assert drawn == {f"{module} ✓✓✓" for module in modules}
    assert [line.strip() for line in end if line.endswith("passed")] == ["6 passed"]


def test_another_reporter_in_its_place_is_left_whole_too(alone):
    alone.write(test_one=PERF)
    seen = screens(alone.pytester.path, "--instafail", "-p", "no:sugar")
    assert any("requests" in line for screen in seen for line in screen)
    assert not any("requests" in line for line in seen[-1])
    assert "=== 3 passed in " in seen[-1][-1]
