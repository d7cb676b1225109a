from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from process_table import runs

from pytest_aiperf.services.process import ServiceProcess

HERE = Path(__file__).parent


@pytest.fixture
def echo(tmp_path):
    """Make echo services; each is stopped at the end, and must leave no process behind."""
    made, pids = [], set()

    def make(**config):
        process = ServiceProcess("echo_service:EchoService", config, log_dir=tmp_path / "logs")
        made.append(process)
        return process

    yield make
    for process in made:
        pids.add(process.pid)
        process.stop(0.5)
    assert not [pid for pid in pids - {None} if runs(pid)]


@pytest.fixture
def parent(tmp_path):
    """Start `parent_script.py` in a session of its own; whatever is left of it is killed at the end."""
    started = []

    def start(mode):
        path = os.pathsep.join([str(HERE.parent.parent), str(HERE)])
        process = subprocess.Popen(
            [sys.executable, str(HERE / "parent_script.py"), mode, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ) | {"PYTHONPATH": path},
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()
