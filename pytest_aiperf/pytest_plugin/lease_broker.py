"""Keeps two measurements apart under xdist: a broker in the controller, a client in each worker.

A lease lives exactly as long as its connection, so a worker that crashes gives its lease back by dying; a lock file
would need a guess about who is dead. One thread runs the broker and owns all of its state, so there is nothing
to lock. Whose turn it is, `lease_queue` says.

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
from typing import Any, Final, Self

from pytest_aiperf.pytest_plugin.lease_queue import Client, Resource

HOST: Final = "127.0.0.1"
REPORT_S: Final = 5.0
"""Longest wait for the report of a test that gave its lease back."""
_LINE_LIMIT_BYTES: Final = 8192
_CLOSE_S: Final = 10.0


class LeaseBroker:
    """Grants leases over loopback; `address` and `token` go to the workers. Runs in a daemon thread until `close`."""

    def __init__(self, *, until_reported: bool = False) -> None:
        """With `until_reported` nobody is let in before `reported` named the measurement that has ended."""
        self._until_reported = until_reported
        self._reported: deque[str] = deque()
        self._read_already: set[str] = set()
        self.measured: set[str] = set()
        """Owners that were let in to measure, also those that died."""
        self.token = secrets.token_hex(16)
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self._listener.setblocking(False)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._wakeup, self._orders = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._clients: dict[socket.socket, Client] = {}
        self._resources: dict[str, Resource] = {}
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
        self._clients[sock] = Client(sock)
        self._selector.register(sock, selectors.EVENT_READ)

    def _read(self, client: Client) -> None:
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

    def _take(self, client: Client, line: bytes) -> None:
        if client.resource is not None:  # the only thing to ask twice is who is in the way
            self._tell(client, {"holders": self._owners(client.resource)})
            return
        ask = self._authenticated(line)
        if ask is None:
            self._tell(client, {"refused": "not a request of this session"})
            self._drop(client)
            return
        client.resource, client.exclusive, client.owner = ask["resource"], ask["exclusive"], ask["owner"]
        self._resources.setdefault(ask["resource"], Resource()).waiting.append(client)
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
            if client.exclusive:
                self.measured.add(client.owner)
            self._tell(client, {"granted": True})  # one that has just died is dropped at its end-of-file

    def _send_away(self, reason: str) -> None:
        for resource in self._resources.values():
            for client in resource.waiting:
                self._tell(client, {"cancelled": reason})
            resource.waiting.clear()

    def _drop(self, client: Client) -> None:
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

    def _await_report(self, resource: Resource, owner: str) -> None:
        if owner in self._read_already:
            self._read_already.discard(owner)
        else:
            resource.unreported, resource.report_by_s = owner, time.monotonic() + REPORT_S

    def _owners(self, name: str) -> list[str]:
        return [holder.owner for holder in self._resources[name].holders]

    def _tell(self, client: Client, answer: dict[str, Any]) -> None:
        try:
            client.sock.send(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass  # it has died, or does not read: its end-of-file will come
