"""Keeps two measurements apart under xdist: a broker in the controller, a client in each worker.

Readers and writers: a measurement takes the machine alone (``exclusive``), every other test shares it. A lease
lives exactly as long as its connection, so a worker that crashes gives its lease back by dying; a lock file
would need a guess about who is dead. One thread runs the broker and owns all of its state, so there is nothing
to lock. Measurements come first: once one waits, no further test is let in, else a steady trickle of short
tests would put it off for ever. Among themselves they go in the order of their asking. A test that has let
`PATIENCE` of them go first is next, and all tests that wait with it: else two workers that measure one thing after
the other would keep the others idle to the end. To let tests in after each measurement would be fairer, and slower:
they would run one at a time, where they could run side by side.

Where a failure may end the session (``-x``, ``--maxfail``), the next measurement is let in only when the report of
the one before it has been read: the lease comes back before the controller knows how the test ended.

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOST: Final = "127.0.0.1"
PATIENCE: Final = 8
"""So many measurements go before a test that waits."""
REPORT_S: Final = 5.0
"""Longest wait for the report of a test that gave its lease back."""
_LINE_LIMIT_BYTES: Final = 8192
_CLOSE_S: Final = 10.0


class _Client:
    """A connection: unknown at first, then waiting, then holding."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unread = b""
        self.resource: str | None = None
        """None until it has asked, with the right token."""
        self.exclusive = False
        self.owner = ""
        self.passed_by = 0
        """So many measurements went first while it waited."""


class _Resource:
    """Who holds one resource and who waits for it."""

    def __init__(self) -> None:
        self.holders: list[_Client] = []
        self.waiting: deque[_Client] = deque()
        self.unreported: str | None = None
        """Whose report must have been read before anybody is let in."""
        self.report_by_s = 0.0

    def grantable(self) -> Iterator[_Client]:
        """Move those whose turn it is from the waiting to the holders, and yield them."""
        if self.unreported is not None and time.monotonic() < self.report_by_s:
            return
        self.unreported = None
        while self.waiting and not any(holder.exclusive for holder in self.holders):
            group = self._next()
            if group[0].exclusive:
                if self.holders:
                    return
                self._count_pass()
            for client in group:
                self.waiting.remove(client)
                self.holders.append(client)
                yield client

    def _count_pass(self) -> None:
        for client in self.waiting:
            client.passed_by += not client.exclusive

    def _next(self) -> Sequence[_Client]:
        """Return a measurement, or all tests that wait."""
        measurement = next((client for client in self.waiting if client.exclusive), None)
        tests = [client for client in self.waiting if not client.exclusive]
        if measurement is None or any(test.passed_by >= PATIENCE for test in tests):
            return tests
        return [measurement]


class LeaseBroker:
    """Grants leases over loopback; `address` and `token` go to the workers. Runs in a daemon thread until `close`."""

    def __init__(self, *, until_reported: bool = False) -> None:
        """With `until_reported` nobody is let in before `reported` named the measurement that has ended."""
        self._until_reported = until_reported
        self._reported: deque[str] = deque()
        self._read_already: set[str] = set()
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

    def reported(self, owner: str) -> None:
        """Take note that the last report of `owner` has been read. Callable from any thread."""
        if self._until_reported:
            self._reported.append(owner)
            self._orders.send(b"!")

    def close(self) -> None:
        """End the broker and every connection. Idempotent."""
        if not self._closing:
            self._closing = True
            with suppress(BrokenPipeError):  # it was busy, has seen that already, and is gone
                self._orders.send(b"!")
            self._thread.join(_CLOSE_S)
            self._orders.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _serve(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(REPORT_S if self._until_reported else None):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wakeup:
                    self._wakeup.recv(64)
                elif key.fileobj in self._clients:  # an earlier one of this round may have been the end of it
                    self._read(self._clients[key.fileobj])
            self._take_reports()
            if self._cancelled is not None:
                self._send_away(self._cancelled)
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.close()
        self._listener.close()
        self._wakeup.close()

    def _take_reports(self) -> None:
        while self._reported:
            owner = self._reported.popleft()
            waited_for = [one for one in self._resources.values() if one.unreported == owner]
            for resource in waited_for:
                resource.unreported = None
            if not waited_for:  # it still holds its lease
                self._read_already.add(owner)
        if self._until_reported and self._cancelled is None and not self._closing:
            for name in self._resources:
                self._grant(name)

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
            if self._until_reported and client.exclusive:
                self._await_report(resource, client.owner)
        elif client in resource.waiting:
            resource.waiting.remove(client)
        if self._cancelled is None and not self._closing:
            self._grant(client.resource)

    def _await_report(self, resource: _Resource, owner: str) -> None:
        if owner in self._read_already:
            self._read_already.discard(owner)
        else:
            resource.unreported, resource.report_by_s = owner, time.monotonic() + REPORT_S

    def _owners(self, name: str) -> list[str]:
        return [holder.owner for holder in self._resources[name].holders]

    def _tell(self, client: _Client, answer: dict[str, Any]) -> None:
        try:
            client.sock.send(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass  # it has died, or does not read: its end-of-file will come
