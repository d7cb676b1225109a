"""A user's own server as a process: started, waited for, stopped with all that it started itself."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self

from pytest_aiperf.common.errors import ConfigurationError, ProcessDiedError
from pytest_aiperf.services import failure, ready_probe
from pytest_aiperf.services.supervised import Supervised, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOGGER: Final = logging.getLogger(__name__)
"""Tells, at INFO, that a server takes long to get ready. The pytest plugin shows it on the terminal."""
PROBE_EVERY_S: Final = 0.1
READY_TIMEOUT_S: Final = 600.0
STOP_GRACE_S: Final = 10.0
SAY_AFTER_S: Final = 5.0
SAY_EVERY_S: Final = 30.0


class ServerProcess:
    """Starts a command, waits until it answers, keeps its log, and ends it: with us, however we end.

    Example:
        >>> port = ServerProcess.free_port()
        >>> command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
        >>> with ServerProcess(command, url=f"http://127.0.0.1:{port}", ready_path="/") as server:
        ...     server.alive
        True
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        url: str,
        ready_path: str = "/v1/models",
        ready_timeout_s: float = READY_TIMEOUT_S,
        stop_grace_s: float = STOP_GRACE_S,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | str | None = None,
        log_path: Path | str | None = None,
    ) -> None:
        """Take note of what to start; nothing is started before `start` or ``with``.

        Args:
            command: program and arguments, a list of words; no shell is involved. It must stay in the foreground.
            url: where the server will listen.
            ready_path: a GET of it is answered with 2xx once the server is ready. With the key in AIPERF_API_KEY,
                if there is one.
            ready_timeout_s: longest time until then. A server that ends is noticed at once.
            stop_grace_s: how long its process group has to end after SIGTERM, before SIGKILL.
            env: variables to add to our own environment; None takes one away.
            cwd: working directory of the server.
            log_path: file to which its output is appended; a temporary one by default.

        Raises:
            ConfigurationError: the command is not a list of words, or the url cannot be.
        """
        ready_probe.address(url)
        self.url = url
        self.log_path = None if log_path is None else Path(log_path)
        self._words = words_of(command)
        self._ready_path = ready_path
        self._ready_timeout_s = ready_timeout_s
        self._stop_grace_s = stop_grace_s
        self._env = dict(env or {})
        self._cwd = cwd
        self._running: Supervised | None = None
        self._finalizer: weakref.finalize[..., object] | None = None

    def __repr__(self) -> str:
        """Tell where it is, not how it was started: a command may hold a key."""
        return f"<ServerProcess {self.url} {f'pid {self.pid}' if self.alive else 'not running'}>"

    @staticmethod
    def free_port() -> int:
        """Return a TCP port of 127.0.0.1 on which nothing listens now.

        Another program may take it before the server does; the server then ends, and its log says why.
        """
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port: int = sock.getsockname()[1]
            return port

    @property
    def pid(self) -> int | None:
        """Process id of the server, or None when it was not started."""
        return self._running.pid if self._running else None

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._running is not None and not self._running.ended()

    def log(self) -> str:
        """Return what the server has written to stdout and stderr, of all its starts; "" before the first."""
        return self.log_path.read_text("utf-8", "replace") if self.log_path else ""

    def start(self) -> None:
        """Start the server and wait until it answers 2xx at its ready path. Does nothing when it runs.

        Raises:
            ConfigurationError: there is no such program or directory, or something listens at the address already.
            ProcessDiedError: the server ended before it was ready; the text has the end of its log.
            DeadlineError: it did not get ready in time; a `MeasurementError` and a `TimeoutError`.
        """
        if self.alive:
            return
        self.stop()
        if ready_probe.something_listens(self.url):
            raise ConfigurationError(
                f"cannot start a server for {self.url}: something listens there already; "
                "stop it, or take another port (ServerProcess.free_port())"
            )
        self._launch()
        try:
            self._wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self, grace_s: float | None = None) -> None:
        """SIGTERM to the server's process group, SIGKILL after the grace; idempotent, bounded in time."""
        if self._running is not None and self._finalizer is not None:
            self._running.stop(self._stop_grace_s if grace_s is None else grace_s)
            self._finalizer()
        self._running, self._finalizer = None, None

    def restart(self) -> None:
        """Stop it and start it anew; returns when it is ready. Raises as `start` does."""
        self.stop()
        self.start()

    def check_alive(self, wait_s: float = 0.0) -> None:
        """Raise an error when the server has ended by itself; nothing when it runs, or was stopped.

        Args:
            wait_s: how long it may take until it has ended. Its clients notice before anybody else: the kernel closes
                the connections of a process first.

        Raises:
            ProcessDiedError: it has ended; the text says how, and has the end of its log.
        """
        if self._running is not None and self._running.ended(wait_s):
            self._raise_died(self._running, f"while it should serve {self.url}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _launch(self) -> None:
        log = self._open_log()
        try:
            running = Supervised.launch(self._words, env=self._environment(), cwd=self._cwd, log=log)
        finally:
            os.close(log)
        self._running = running
        self._finalizer = weakref.finalize(self, _end, running, os.getpid())

    def _environment(self) -> dict[str, str]:
        without = {name: value for name, value in os.environ.items() if name not in self._env}
        return without | {name: value for name, value in self._env.items() if value is not None}

    def _open_log(self) -> int:
        if self.log_path is None:
            handle, name = tempfile.mkstemp(prefix="aiperf-server-", suffix=".log")
            self.log_path = Path(name)
            os.close(handle)
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if os.fstat(log).st_size:
            os.write(log, b"\n--- started anew ---\n")
        return log

    def _wait_ready(self) -> None:
        begun_s, say_after_s = time.monotonic(), SAY_AFTER_S
        problem: str | None = "it was not asked"
        while (waited_s := time.monotonic() - begun_s) < self._ready_timeout_s:
            problem = ready_probe.problem_of(self.url, self._ready_path)
            if self._running is not None and self._running.ended():
                self._raise_died(self._running, "before it was ready")
            if problem is None:
                return
            if waited_s >= say_after_s:
                say_after_s = waited_s + SAY_EVERY_S
                LOGGER.info(
                    "%s is not ready after %.0f s of at most %.0f s: %s; log: %s",
                    *(self.url, waited_s, self._ready_timeout_s, problem, self.log_path),
                )
            time.sleep(PROBE_EVERY_S)
        from pytest_aiperf.services.channel import DeadlineError

        raise DeadlineError(
            f"waited {self._ready_timeout_s:.3g} s for {self.url} to answer 2xx at {self._ready_path}: {problem}. "
            f"If it needs longer, raise ready_timeout_s{self._log_tail()}"
        )

    def _raise_died(self, running: Supervised, when: str) -> NoReturn:
        program, status = Path(self._words[0]).name, running.exit_status()
        how = "was lost with its supervisor" if status is None else failure.exit_text(status)
        advice = ": it must stay in the foreground" if status == 0 else ""
        raise ProcessDiedError(f"{program} (pid {running.pid}) {how} {when}{advice}{self._log_tail()}")

    def _log_tail(self) -> str:
        return failure.log_tail(self.log_path) if self.log_path else ""


def _end(running: Supervised, owner_pid: int) -> None:
    if os.getpid() == owner_pid:  # a fork of ours must not end it
        running.end()
