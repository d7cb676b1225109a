"""A worker's side of the lease that keeps measurements apart; `lease_broker` grants it.

Standard library only: every xdist session imports this.
"""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Final, Self

from pytest_aiperf.common.errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Callable

MACHINE: Final = "host"
"""The resource that is the machine as a whole; an endpoint's URL is another one."""
REMIND_S: Final = 30.0
LONGEST_WAIT_S: Final = 6 * 3600.0
_REPLY_S: Final = 10.0


class LeaseError(MeasurementError):
    """No lease could be had: refused, the broker is gone, or it took too long."""


class LeaseCancelledError(LeaseError):
    """The session is stopping: what waited, or asks only now, gets no lease any more."""


class Lease:
    """A worker's side: at most one lease at a time, given back by `release` or by the end of the process."""

    def __init__(
        self,
        address: tuple[str, int],
        token: str,
        *,
        on_wait: Callable[[str], None] | None = None,
        remind_s: float = REMIND_S,
    ) -> None:
        """`on_wait` gets a line for the user after each `remind_s` of waiting."""
        self._address = address
        self._token = token
        self._on_wait = on_wait
        self._remind_s = remind_s
        self._sock: socket.socket | None = None

    def acquire(
        self, *, exclusive: bool, owner: str, resource: str = MACHINE, deadline_s: float = LONGEST_WAIT_S
    ) -> float:
        """Wait for a lease and return how long that took, in seconds. `owner` is what others are told.

        Raises:
            LeaseCancelledError: the session is stopping.
            LeaseError: no broker, a wrong token, a lease that is held already, or `deadline_s` is over.
        """
        if self._sock is not None:
            raise LeaseError(f"{owner}: this worker holds a lease already; release it first")
        start_s = time.monotonic()
        ask = {"token": self._token, "exclusive": exclusive, "owner": owner, "resource": resource}
        try:
            self._sock = socket.create_connection(self._address, timeout=_REPLY_S)
            self._sock.sendall(json.dumps(ask).encode() + b"\n")
            self._wait(owner, start_s, start_s + deadline_s)
        except OSError as error:
            self.release()
            raise LeaseError(f"{owner}: the lease broker of this session is gone: {error}") from error
        except BaseException:
            self.release()
            raise
        return time.monotonic() - start_s

    def release(self) -> None:
        """Give the lease back; without one, do nothing."""
        sock, self._sock = self._sock, None
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)  # close() alone would not end it where a fork has a copy
            except OSError:
                pass
            sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def _wait(self, owner: str, start_s: float, deadline: float) -> None:
        unread = b""
        while True:
            line, unread = self._line(unread, min(deadline, time.monotonic() + self._remind_s))
            waited_s = time.monotonic() - start_s
            if line is None:
                if time.monotonic() >= deadline:
                    raise LeaseError(f"{owner}: waited {waited_s:.0f} s for its turn, which is the limit")
                self._socket().sendall(b"who\n")
                continue
            answer = json.loads(line)
            if "granted" in answer:
                return
            if "holders" in answer:
                self._remind(owner, waited_s, answer["holders"])
            elif "cancelled" in answer:
                raise LeaseCancelledError(f"{owner}: did not get its turn: {answer['cancelled']}")
            else:
                raise LeaseError(f"{owner}: the lease broker refused: {answer.get('refused', answer)}")

    def _remind(self, owner: str, waited_s: float, holders: list[str]) -> None:
        if self._on_wait is not None:
            who = ", ".join(holders) or "measurements that come first"
            self._on_wait(f"{owner} has waited {waited_s:.0f} s for its turn; now running: {who}")

    def _line(self, unread: bytes, until: float) -> tuple[bytes | None, bytes]:
        """Return the next line, or None when none came in time, and what was read beyond it."""
        sock = self._socket()
        while b"\n" not in unread:
            remaining_s = until - time.monotonic()
            if remaining_s <= 0:
                return None, unread
            sock.settimeout(remaining_s)
            try:
                data = sock.recv(4096)
            except TimeoutError:
                return None, unread
            if not data:
                raise ConnectionResetError("it closed the connection")
            unread += data
        line, _, rest = unread.partition(b"\n")
        return line, rest

    def _socket(self) -> socket.socket:
        if self._sock is None:
            raise ConnectionResetError("released while it was waited for")
        return self._sock
