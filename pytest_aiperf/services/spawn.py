"""Starts a child interpreter on `pytest_aiperf.bootstrap`, with one socket between us."""

from __future__ import annotations

import os
import re
import signal
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest_aiperf
from pytest_aiperf.common.errors import MeasurementError
from pytest_aiperf.plugin.plugins import REGISTRY
from pytest_aiperf.services.channel import ABORT, START, Channel, ChannelClosedError
from pytest_aiperf.services.log_records import level_for_children

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COVERAGE: Final = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COV_CORE_DATAFILE")
"""Each of them has coverage (or old pytest-cov) start in any interpreter that finds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process that was started: its handle, our end of the channel, and where its stderr goes."""

    process: subprocess.Popen[bytes]
    channel: Channel
    log_path: Path

    def abort(self) -> None:
        """Ask it to end its present work early: callable from any thread and from a signal handler."""
        try:
            self.channel.post(ABORT)
        except (ChannelClosedError, MeasurementError):
            pass  # gone or stuck: whoever waits for its answer is told

    def end(self) -> None:
        """Kill it if it still runs, reap it, close the channel, and drop a log in which nothing stands."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.channel.close()
        if self.log_path.exists() and self.log_path.stat().st_size == 0:
            self.log_path.unlink()


def spawn(service: str, config: Mapping[str, Any], *, log_dir: Path) -> Child:
    """Start a fresh interpreter that runs one service, and return without waiting for it.

    Never a fork: the parent may have threads, and a fork would keep copies of its sockets open.
    """
    ours, theirs = socket.socketpair()
    log_dir.mkdir(parents=True, exist_ok=True)
    prefix = re.sub(r"\W+", "_", service) + "-"
    log, log_name = tempfile.mkstemp(prefix=prefix, suffix=".log", dir=log_dir)
    try:
        with sigint_blocked():
            process = subprocess.Popen(
                # -P: the user's working directory may hold a json.py
                [sys.executable, "-P", "-m", "pytest_aiperf.bootstrap", service, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
            )
    except OSError as error:  # not its traceback: that has the environment in it
        ours.close()
        raise MeasurementError(f"cannot start a process for {service}: {error}") from None
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(log)
    child = Child(process=process, channel=Channel(ours), log_path=Path(log_name))
    try:
        first = {
            "parent_pid": os.getpid(),
            "main_thread": threading.current_thread() is threading.main_thread(),
            "sys_path": [os.path.abspath(entry) for entry in sys.path],
            "registry": REGISTRY.to_payload(),  # read here, where it is needed anyway, while the child comes up
            "log_level": level_for_children(),
            "config": dict(config),
        }
        child.channel.send(START, first)
    except BaseException:
        child.end()
        raise
    return child


@contextmanager
def sigint_blocked() -> Iterator[None]:
    """Block SIGINT for a process that is started here: Ctrl-C goes to the whole group, it is not ready yet."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """Return an environment in which the child finds this very package.

    site-packages must not enter PYTHONPATH, where it would come before the standard library. Importing numpy starts a
    thread for every core, which spins for a while: on the server's cores. Coverage would trace every line of the load
    engine, and what it measures would be the tracer.
    """
    environment = {"OPENBLAS_NUM_THREADS": "1"} | os.environ
    for name in _COVERAGE:
        environment.pop(name, None)
    root = str(Path(pytest_aiperf.__file__).parent.parent)
    if root not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return environment
