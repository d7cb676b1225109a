"""Nothing that we started outlives us, and Ctrl-C is the parent's to decide on."""

from __future__ import annotations

import os
import signal

import pytest
from process_table import runs, wait_until

PARENTS = [
    "idle",
    "busy",
    "starting",
    "started_in_a_thread",
    "busy_for_a_thread",
    "socket_kept_by_a_fork",
    "load",
    "load_of_two",
    "user_server",
]


@pytest.mark.parametrize("mode", PARENTS)
def test_every_process_is_gone_after_kill_9_of_its_parent(parent, mode):
    """C9."""
    process = parent(mode)
    pids = [int(word) for word in process.stdout.readline().split()]
    assert pids
    assert all(map(runs, pids))
    ours = pids[:1] if mode == "socket_kept_by_a_fork" else pids
    process.kill()
    assert wait_until(lambda: not any(map(runs, ours)), 5.0)
    for pid in set(pids) - set(ours):
        os.kill(pid, signal.SIGKILL)


def test_ctrl_c_leaves_the_child_to_the_parent_who_aborts_it(parent):
    """C9."""
    process = parent("interrupted")
    pid = int(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline().split() == ["interrupted", "True", "abort"]
    assert process.wait(20) == 0
    assert wait_until(lambda: not runs(pid))


@pytest.mark.parametrize("mode", ["load", "load_of_two"])
def test_ctrl_c_in_a_run_leaves_no_process(parent, mode):
    process = parent(mode)
    pids = [int(word) for word in process.stdout.readline().split()]
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    assert process.wait(20) == 0
    assert wait_until(lambda: not any(map(runs, pids)))


def test_a_parent_that_ends_without_stopping_leaves_nobody_behind(parent):
    process = parent("unstopped")
    pid = int(process.stdout.readline())
    assert process.wait(20) == 0
    assert wait_until(lambda: not runs(pid))
