"""A command that runs under a supervisor of ours: launched, asked to stop, watched for its end."""

from __future__ import annotations

import os
import select
import shlex
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from pytest_aiperf.common.errors import ConfigurationError, ProcessDiedError
from pytest_aiperf.services import supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STARTED_S: Final = 30.0
_KILL_S: Final = 2 * supervisor.LAST_WAIT_S + 2.0


def words_of(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return the command as text, word by word.

    Raises:
        ConfigurationError: it is one text, empty, or holds something else.
    """
    if isinstance(command, str):
        raise ConfigurationError(f"the server's command must be a list of words: {_suggestion(command)}")
    words = [os.fspath(word) if isinstance(word, os.PathLike) else word for word in command]
    odd = next((word for word in words if not isinstance(word, str)), None)
    if odd is not None:
        raise ConfigurationError(f"the server's command holds {odd!r}: write it as text, {str(odd)!r}")
    if not words:
        raise ConfigurationError("the server's command is empty")
    return words


def _suggestion(command: str) -> str:
    try:
        return f"write {shlex.split(command)!r}"
    except ValueError:
        return "no shell takes it apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervised:
    """A command that was started."""

    supervisor: subprocess.Popen[bytes]
    link: socket.socket
    pid: int
    """Of the command; it leads its process group."""

    @classmethod
    def launch(
        cls, words: Sequence[str], *, env: Mapping[str, str], cwd: Path | str | None, log: int
    ) -> Self:
        """Start it, its output going to the descriptor `log`.

        Raises:
            ConfigurationError: there is no such program, or no such directory.
        """
        from pytest_aiperf.services.spawn import sigint_blocked

        if cwd is not None and not Path(cwd).is_dir():
            raise ConfigurationError(f"cannot start {words[0]!r}: {cwd} is not a directory")
        ours, theirs = socket.socketpair()
        try:
            with sigint_blocked():
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", supervisor.__file__, str(theirs.fileno()), *words],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=env,
                    cwd=cwd,
                )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.settimeout(_STARTED_S)
        what, number = _first_line(ours)
        started = cls(supervisor=process, link=ours, pid=number)
        if what == "failed":
            started.end()
            raise ConfigurationError(
                f"cannot start {words[0]!r}: {os.strerror(number)}. "
                "Is it installed, and on the PATH that pytest has?"
            )
        return started

    def ended(self, wait_s: float = 0.0) -> bool:
        """Tell whether the command has ended by itself, waiting so long for it."""
        poller = select.poll()
        poller.register(self.link, select.POLLIN)
        return bool(poller.poll(1000 * wait_s))

    def exit_status(self) -> int | None:
        """Return the status of a command that has `ended`, as `subprocess` has it; None when nobody knows."""
        try:
            words = self.link.recv(64, socket.MSG_PEEK).split()
        except OSError:
            words = []
        return int(words[1]) if words else None

    def stop(self, grace_s: float) -> None:
        """SIGTERM to the command's process group, SIGKILL after `grace_s`; wait until it is gone, not for ever."""
        try:
            self.link.sendall(f"stop {grace_s}\n".encode())
            self.supervisor.wait(grace_s + _KILL_S)
        except (OSError, subprocess.TimeoutExpired):
            pass  # it has ended, or is stuck: `end` ends what there is left

    def end(self) -> None:
        """End at once what still runs."""
        self.link.close()  # the supervisor takes it for our end
        try:
            self.supervisor.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            supervisor.signal_group(self.pid, signal.SIGKILL)
            self.supervisor.kill()
            self.supervisor.wait()


def _first_line(link: socket.socket) -> tuple[str, int]:
    """Return what the supervisor says first, and no more: a command that ends at once has left a second line."""
    line = b""
    while not line.endswith(b"\n"):
        if not (byte := link.recv(1)):
            raise ProcessDiedError("the server was not started: its supervisor ended before that")
        line += byte
    what, number = line.split()
    return what.decode(), int(number)
