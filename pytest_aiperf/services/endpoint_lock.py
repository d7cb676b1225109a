"""Two programs of one user that measure on one machine take turns at an endpoint: lock files for each.

A file lock of the operating system ends with its process, so nobody has to guess whether the holder is still alive. It
is taken again where it is held already, so that whoever knows the endpoint early can take it before the clock of a
test runs. Sessions on different machines, or of different users, do not see each other's.

There are two locks for each server: who wants the server waits for the place of the next one first, and keeps it until
the server is free. With one lock alone, the program that gives it back would have it again before anybody else looks,
and all of its tests would come before the first one of the others.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from pytest_aiperf.common.errors import MeasurementError

LONGEST_WAIT_S: Final = 3600.0
SAY_AFTER_S: Final = 1.0
REMIND_S: Final = 30.0
_POLL_S: Final = 0.05
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_ADVICE: Final = (
    "Set TMPDIR to a folder of your own with room in it. --aiperf-isolation=none takes no lock: then make sure "
    "yourself that nobody else measures there."
)


@contextmanager
def endpoint_lock(
    urls: Sequence[str],
    *,
    owner: str | None = None,
    on_wait: Callable[[str], None] | None = None,
    longest_wait_s: float = LONGEST_WAIT_S,
) -> Iterator[None]:
    """Hold the endpoints' locks, waiting for whoever has them.

    Args:
        owner: what others are told while they wait, such as ``pytest (pid 7) in /src``.
        on_wait: gets a line for the user after a second of waiting and each `REMIND_S` after that.

    Raises:
        MeasurementError: another session did not give one back in time, or there is no place for lock files.
    """
    owner = owner or f"process {os.getpid()} in {os.getcwd()}"
    with ExitStack() as held:
        # In one order everywhere: no two wait for each other.
        for server in sorted({_server(url) for url in urls}):
            turn = _Turn(server, owner, on_wait, longest_wait_s)
            try:
                held.enter_context(turn.held())
            except OSError as error:
                raise MeasurementError(
                    f"the lock file of {server} cannot be used: {error}. {_ADVICE}"
                ) from None
        yield


class _Turn:
    """One server's two locks, and the note that says who has it."""

    def __init__(
        self, server: str, owner: str, on_wait: Callable[[str], None] | None, longest_wait_s: float
    ) -> None:
        self._server, self._owner, self._on_wait = server, owner, on_wait
        self._longest_wait_s = longest_wait_s
        self._began_s = time.monotonic()
        self._say_at_s = self._began_s + SAY_AFTER_S
        stem = hashlib.sha256(server.encode()).hexdigest()[:16]
        folder = _folder()
        self._lock = FileLock(folder / f"{stem}.lock", is_singleton=True, thread_local=False)
        self._next = FileLock(folder / f"{stem}.next")
        self._note = folder / f"{stem}.holder"

    @contextmanager
    def held(self) -> Iterator[None]:
        if self._lock.is_locked:  # by this process: whoever waits to be the next one waits for us
            with self._lock:
                yield
            return
        with ExitStack() as held:
            with ExitStack() as place:
                place.enter_context(self._taken(self._next))
                held.enter_context(self._taken(self._lock))
            self._write_note()
            try:
                yield
            finally:
                with suppress(OSError):
                    self._note.unlink()

    def _taken(self, lock: FileLock) -> AbstractContextManager[object]:
        until_s = self._began_s + self._longest_wait_s
        while True:
            left_s = min(until_s, self._say_at_s) - time.monotonic()
            try:
                return lock.acquire(timeout=max(left_s, 0.0), poll_interval=_POLL_S)
            except Timeout:
                self._not_yet(until_s)

    def _not_yet(self, until_s: float) -> None:
        now_s = time.monotonic()
        if now_s >= until_s:
            raise MeasurementError(
                f"waited {self._longest_wait_s:.0f} s for another measurement of {self._server}, "
                f"by {self._holder()}; wait for it or end it; pytest takes no lock with --aiperf-isolation=none"
            )
        if now_s >= self._say_at_s:
            self._say_at_s = now_s + REMIND_S
            if self._on_wait is not None:
                waited_s = now_s - self._began_s
                self._on_wait(
                    f"has waited {waited_s:.0f} s for its turn at {self._server}; "
                    f"now measuring there: {self._holder()}"
                )

    def _write_note(self) -> None:
        note = json.dumps({"owner": self._owner, "since": time.time()})
        with suppress(OSError):  # the disk is full, say: the lock holds all the same
            self._note.write_text(note, encoding="utf-8")

    def _holder(self) -> str:
        """Return who has the lock; the note may be missing for a moment, or be that of one who was killed."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            return f"{note['owner']}, for {time.time() - note['since']:.0f} s"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


def _server(url: str) -> str:
    """Return host and port: two paths of one server are one server."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # no URL at all: said where it is to be used
        return url
    host = "localhost" if parts.hostname in _LOOPBACK else parts.hostname
    return f"{host}:{port}"


def _folder() -> Path:
    """Return this user's folder of lock files; one that somebody else made is not used."""
    name = f"pytest-aiperf-{os.getuid() if hasattr(os, 'getuid') else 'locks'}"
    try:
        folder = Path(tempfile.gettempdir(), name)
    except FileNotFoundError as error:
        raise MeasurementError(f"there is no place for lock files: {error}. {_ADVICE}") from None
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if hasattr(os, "getuid") and folder.lstat().st_uid != os.getuid():
            raise PermissionError("it belongs to somebody else")
    except OSError as error:
        raise MeasurementError(f"no lock files can be made in {folder}: {error}. {_ADVICE}") from None
    return folder
