"""The command with which a user restarts a server: run through the shell, within a deadline, its output kept.

What the command leaves running when it has ended is the user's server and stays. A command that does not end in
time, or in the middle of which we are interrupted, is ended with all that it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.services import failure, supervisor

_TERMINATE_S: Final = 1.0


class RestartCommand:
    """Runs a shell command each time that it is called."""

    def __init__(self, command: str, *, deadline_s: float, log_dir: Path) -> None:
        self.command = command
        self._deadline_s = deadline_s
        self._log_dir = log_dir

    def __call__(self) -> None:
        """Run it and wait until it has ended.

        Raises:
            EndpointError: it failed, or did not end in time; the text has the end of its output.
        """
        self._log_dir.mkdir(parents=True, exist_ok=True)
        # A file, not a pipe: a server that the command leaves running would hold a pipe open for ever.
        handle, name = tempfile.mkstemp(prefix="restart-", suffix=".log", dir=self._log_dir)
        log = Path(name)
        try:
            status = self._status(handle)
        finally:
            os.close(handle)
        if status is None:
            raise EndpointError(
                f"the restart command did not end within {self._deadline_s:g} s and was stopped: {self.command}"
                f"{failure.log_tail(log)}\nIt must return while the server runs on: put that into the background, "
                "with its output in a file, or raise --ready-timeout."
            )
        if status != 0:
            raise EndpointError(
                f"the restart command {failure.exit_text(status)}: {self.command}{failure.log_tail(log)}"
            )
        if log.stat().st_size == 0:
            log.unlink()

    def _status(self, output: int) -> int | None:
        """Return its exit status; None when it was stopped at its deadline."""
        # In a session of its own: Ctrl-C is for us, and the server that it leaves running must not get it.
        process = subprocess.Popen(
            self.command,
            shell=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            return process.wait(self._deadline_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return None
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and all of its group: asked first, killed a second later."""
    supervisor.signal_group(process.pid, signal.SIGTERM)
    try:
        process.wait(_TERMINATE_S)
    except subprocess.TimeoutExpired:
        pass
    supervisor.signal_group(process.pid, signal.SIGKILL)
    process.wait()
