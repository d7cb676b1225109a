"""Two programs of one user that measure on one machine take turns at an endpoint: a lock file for each.

A file lock of the operating system ends with its process, so nobody has to guess whether the holder is still alive. It
is taken again where it is held already, so that whoever knows the endpoint early can take it before the clock of a
test runs. Sessions on different machines, or of different users, do not see each other's.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from pytest_aiperf.common.errors import MeasurementError

LONGEST_WAIT_S: Final = 3600.0
_POLL_S: Final = 0.05
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@contextmanager
def endpoint_lock(urls: Sequence[str], *, longest_wait_s: float = LONGEST_WAIT_S) -> Iterator[None]:
    """Hold the endpoints' locks, waiting for whoever has them.

    Raises:
        MeasurementError: another session did not give one back in time, or there is no place for lock files.
    """
    folder = _folder()
    with ExitStack() as held:
        for server in sorted(
            {_server(url) for url in urls}
        ):  # in one order everywhere: no two wait for each other
            name = hashlib.sha256(server.encode()).hexdigest()[:16]
            lock = FileLock(folder / f"{name}.lock", is_singleton=True, thread_local=False)
            try:
                held.enter_context(lock.acquire(timeout=longest_wait_s, poll_interval=_POLL_S))
            except Timeout:
                raise MeasurementError(
                    f"another measurement of {server} has held its lock for {longest_wait_s:.0f} s; "
                    "wait for it or end it; pytest takes no lock with --aiperf-isolation=none"
                ) from None
        yield


def _server(url: str) -> str:
    """Return host and port: two paths of one server are one server."""
    parts = urlsplit(url)
    host = "localhost" if parts.hostname in _LOOPBACK else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _folder() -> Path:
    """Return this user's folder of lock files; one that somebody else made is not used."""
    folder = Path(tempfile.gettempdir(), f"pytest-aiperf-{os.getuid() if hasattr(os, 'getuid') else 'locks'}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if hasattr(os, "getuid") and folder.lstat().st_uid != os.getuid():
            raise PermissionError("it belongs to somebody else")
    except OSError as error:
        raise MeasurementError(
            f"no lock files can be made in {folder}: {error}. Set TMPDIR to a folder of your own."
        ) from None
    return folder
