"""A user's own server as a process: started, waited for, stopped with all that it started itself."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from pytest_aiperf.common.errors import ConfigurationError, ProcessDiedError
from pytest_aiperf.services import failure, supervisor
from pytest_aiperf.services.channel import DeadlineError
from pytest_aiperf.services.spawn import sigint_blocked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROBE_EVERY_S: Final = 0.1
PROBE_TIMEOUT_S: Final = 5.0
STOP_GRACE_S: Final = 10.0
_KILL_S: Final = 5.0
_STARTED_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    supervisor: subprocess.Popen[bytes]
    link: socket.socket
    group: int
    """Process id of the server, which leads its process group."""


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
        command: Sequence[str],
        *,
        url: str,
        ready_path: str = "/v1/models",
        ready_timeout_s: float = 120.0,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        log_path: Path | None = None,
    ) -> None:
        """`env` is added to our own environment. Without `log_path` the log is a temporary file."""
        self.url = url
        self.log_path = log_path
        self._command = list(command)
        self._ready_path = ready_path
        self._ready_timeout_s = ready_timeout_s
        self._env = dict(os.environ) | dict(env or {})
        self._cwd = cwd
        self._running: _Running | None = None
        self._finalizer: weakref.finalize[..., object] | None = None

    @staticmethod
    def free_port() -> int:
        """Return a TCP port of 127.0.0.1 on which nothing listens now."""
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port: int = sock.getsockname()[1]
            return port

    @property
    def pid(self) -> int | None:
        """Process id of the server, or None when it was not started."""
        return self._running.group if self._running else None

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._running is not None and self._running.supervisor.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers 2xx at its ready path. Does nothing when it runs.

        Raises:
            ConfigurationError: something else listens at the address already.
            ProcessDiedError: the server ended before it was ready; the text has the end of its log.
            DeadlineError: it did not get ready in time.
        """
        if self.alive:
            return
        self.stop()
        address = _address(self.url)
        if _something_listens(*address):
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

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """SIGTERM to the server's process group, SIGKILL after `grace_s`; idempotent, bounded in time."""
        if self._running is not None and self._finalizer is not None:
            try:
                self._running.link.sendall(f"stop {grace_s}\n".encode())
                self._running.supervisor.wait(grace_s + _KILL_S)
            except (OSError, subprocess.TimeoutExpired):
                pass  # it has ended, or is stuck: the finalizer ends what there is left
            self._finalizer()
        self._running, self._finalizer = None, None

    def restart(self) -> None:
        """Stop it and start it anew; returns when it is ready."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        log = self._open_log()
        try:
            with sigint_blocked():
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", supervisor.__file__, str(theirs.fileno()), *self._command],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._env,
                    cwd=self._cwd,
                )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(log)
        ours.settimeout(_STARTED_S)
        words = ours.recv(64).split()  # end-of-file: there is no such command, as its log says
        group = int(words[1]) if words else 0
        self._running = _Running(supervisor=process, link=ours, group=group)
        self._finalizer = weakref.finalize(self, _end, self._running, os.getpid())

    def _open_log(self) -> int:
        if self.log_path is None:
            handle, name = tempfile.mkstemp(prefix="aiperf-server-", suffix=".log")
            self.log_path = Path(name)
            return handle
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + self._ready_timeout_s
        seen = "nothing listened"
        while time.monotonic() < deadline:
            answer = _probe(self.url, self._ready_path)
            if not self.alive:
                raise self._died()
            if isinstance(answer, int) and 200 <= answer < 300:
                return
            seen = f"the last answer was HTTP {answer}" if isinstance(answer, int) else answer
            time.sleep(PROBE_EVERY_S)
        raise DeadlineError(
            f"waited {self._ready_timeout_s:.3g} s for {self.url} to answer 2xx at {self._ready_path}: {seen}"
            + self._log_tail()
        )

    def _died(self) -> ProcessDiedError:
        return ProcessDiedError(
            f"{self._command[0]} {self._last_words()} before it was ready{self._log_tail()}"
        )

    def _last_words(self) -> str:
        try:
            words = self._running.link.recv(64).split() if self._running else []
        except OSError:
            words = []
        return failure.exit_text(int(words[1])) if words else "could not be started"

    def _log_tail(self) -> str:
        return failure.log_tail(self.log_path) if self.log_path else ""


def _end(running: _Running, owner_pid: int) -> None:
    if os.getpid() != owner_pid:  # a fork of ours must not end it
        return
    running.link.close()  # the supervisor takes it for our end
    try:
        running.supervisor.wait(_KILL_S)
    except subprocess.TimeoutExpired:
        supervisor.signal_group(running.group, signal.SIGKILL)
        running.supervisor.kill()
        running.supervisor.wait()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"the server's url is {url!r}; it must look like http://127.0.0.1:8000")
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _something_listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=PROBE_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _probe(url: str, path: str) -> int | str:
    """Return the status of a GET, or why there is none. No proxy is asked: the server is ours."""
    host, port = _address(url)
    connection: http.client.HTTPConnection
    if url.startswith("https"):
        connection = http.client.HTTPSConnection(
            host, port, timeout=PROBE_TIMEOUT_S, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"the last try said {error or type(error).__name__}"
    finally:
        connection.close()
