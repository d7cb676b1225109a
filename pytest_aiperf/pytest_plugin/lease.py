"""Keeps two measurements apart under xdist: a broker in the controller, a client in each worker.

Readers and writers: a measurement takes the machine alone (``exclusive``), every other test shares it. A lease
lives exactly as long as its connection, so a worker that crashes gives its lease back by dying; a lock file
would need a guess about who is dead. One thread runs the broker and owns all of its state, so there is nothing
to lock. Measurements come first: once one waits, no further test is let in, else a steady trickle of short
tests would put it off for ever. Among themselves they go in the order of their asking.

Standard library only: every xdist session imports this.
"""

from __future__ import annotations

import hmac
import json
import secrets
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from pytest_aiperf.common.errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST: Final = "127.0.0.1"
MACHINE: Final = "host"
"""The resource that is the machine as a whole; an endpoint's URL is another one."""
REMIND_S: Final = 30.0
LONGEST_WAIT_S: Final = 6 * 3600.0
_LINE_LIMIT_BYTES: Final = 8192
_REPLY_S: Final = 10.0


class LeaseError(MeasurementError):
    """No lease could be had: refused, the broker is gone, or it took too long."""


class LeaseCancelledError(LeaseError):
    """The session is stopping: what waited, or asks only now, gets no lease any more."""


class _Client:
    """A connection: unknown at first, then waiting, then holding."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unread = b""
        self.resource: str | None = None
        """None until it has asked, with the right token."""
        self.exclusive = False
        self.owner = ""


class _Resource:
    """Who holds one resource and who waits for it."""

    def __init__(self) -> None:
        self.holders: list[_Client] = []
        self.waiting: deque[_Client] = deque()

    def grantable(self) -> Iterator[_Client]:
        """Move those whose turn it is from the waiting to the holders, and yield them."""
        while self.waiting and not any(holder.exclusive for holder in self.holders):
            first = next((client for client in self.waiting if client.exclusive), self.waiting[0])
            if first.exclusive and self.holders:
                return
            self.waiting.remove(first)
            self.holders.append(first)
            yield first


class LeaseBroker:
    """Grants leases over loopback; `address` and `token` go to the workers. Runs in a daemon thread until `close`."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(16)
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self._listener.setblocking(False)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._wakeup, self._orders = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._clients: dict[socket.socket, _Client] = {}
        self._resources: dict[str, _Resource] = {}
        self._cancelled: str | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="aiperf-leases", daemon=True)
        self._thread.start()

    def cancel_waiting(self, reason: str = "the session is stopping") -> None:
        """Send all who wait away, and all who ask from now on; held leases stay. Callable from any thread."""
        self._cancelled = reason
        self._orders.send(b"!")

    def close(self) -> None:
        """End the broker and every connection. Idempotent."""
        if not self._closing:
            self._closing = True
            with suppress(BrokenPipeError):  # it was busy, has seen that already, and is gone
                self._orders.send(b"!")
            self._thread.join(_REPLY_S)
            self._orders.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _serve(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wakeup:
                    self._wakeup.recv(64)
                elif key.fileobj in self._clients:  # an earlier one of this round may have been the end of it
                    self._read(self._clients[key.fileobj])
            if self._cancelled is not None:
                self._send_away(self._cancelled)
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.close()
        self._listener.close()
        self._wakeup.close()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        self._clients[sock] = _Client(sock)
        self._selector.register(sock, selectors.EVENT_READ)

    def _read(self, client: _Client) -> None:
        try:
            data = client.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.unread += data
        if not data or len(client.unread) > _LINE_LIMIT_BYTES:
            self._drop(client)
            return
        while b"\n" in client.unread and client.sock in self._clients:
            line, _, client.unread = client.unread.partition(b"\n")
            self._take(client, line)

    def _take(self, client: _Client, line: bytes) -> None:
        if client.resource is not None:  # the only thing to ask twice is who is in the way
            self._tell(client, {"holders": self._owners(client.resource)})
            return
        ask = self._authenticated(line)
        if ask is None:
            self._tell(client, {"refused": "not a request of this session"})
            self._drop(client)
            return
        client.resource, client.exclusive, client.owner = ask["resource"], ask["exclusive"], ask["owner"]
        self._resources.setdefault(ask["resource"], _Resource()).waiting.append(client)
        if self._cancelled is None:
            self._grant(ask["resource"])

    def _authenticated(self, line: bytes) -> dict[str, Any] | None:
        try:
            ask = json.loads(line)
        except ValueError:
            return None
        match ask:
            case {"token": str(token), "exclusive": bool(), "owner": str(), "resource": str()}:
                if hmac.compare_digest(token.encode(), self.token.encode()):
                    return dict(ask)
        return None

    def _grant(self, name: str) -> None:
        for client in list(self._resources[name].grantable()):
            self._tell(client, {"granted": True})  # one that has just died is dropped at its end-of-file

    def _send_away(self, reason: str) -> None:
        for resource in self._resources.values():
            for client in resource.waiting:
                self._tell(client, {"cancelled": reason})
            resource.waiting.clear()

    def _drop(self, client: _Client) -> None:
        self._selector.unregister(client.sock)
        del self._clients[client.sock]
        client.sock.close()
        if client.resource is None:
            return
        resource = self._resources[client.resource]
        if client in resource.holders:
            resource.holders.remove(client)
        elif client in resource.waiting:
            resource.waiting.remove(client)
        if self._cancelled is None and not self._closing:
            self._grant(client.resource)

    def _owners(self, name: str) -> list[str]:
        return [holder.owner for holder in self._resources[name].holders]

    def _tell(self, client: _Client, answer: dict[str, Any]) -> None:
        try:
            client.sock.send(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass  # it has died, or does not read: its end-of-file will come


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
