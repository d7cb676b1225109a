"""PYTEST_DONT_REWRITE. One TCP connection: a non-blocking socket, and one exchange at a time on it.

Bytes leave through `_transmit` and come in through `_receive`; what lies between those two and the rest is HTTP text.
TLS (`TlsConnection`) overrides these two, so that plain HTTP does not pay for it, not even with a test for each read.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from dataclasses import dataclass
from time import time_ns
from typing import ClassVar, Final, Protocol

from pytest_aiperf.engine.address import Address, new_socket, reason_of
from pytest_aiperf.engine.kernel_stamps import ANCILLARY_BYTES, SO_TIMESTAMPNS, TIMESPEC
from pytest_aiperf.engine.readiness import Readiness
from pytest_aiperf.engine.response_reader import ResponseReader
from pytest_aiperf.engine.transport import Exchange, Failure

READ_BYTES: Final = 65536
"""What one read can bring."""
_BILLION: Final = 1_000_000_000
_TLS_RECORD: Final = (b"\x15\x03", b"\x16\x03")
_NO_PORT: Final = (
    " (no local port is free: each closed connection keeps one for about a minute; send fewer requests, or keep "
    "connections open with --aiperf-connection-reuse-strategy=pooled)"
)


class Owner(Protocol):
    """What a connection tells the transport that it belongs to."""

    def connected(self, connection: Connection) -> None: ...

    def ended(self, connection: Connection, failure: Failure | None, t_end: int) -> None:
        """The exchange is over, well or not; only a connection that says `reusable` can carry another one."""

    def lost_idle(self, connection: Connection) -> None:
        """The server closed it while nothing was under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all connections of a transport share."""

    loop: asyncio.AbstractEventLoop
    readiness: Readiness
    address: Address
    buffer: memoryview
    """Where each read puts what it brings, until it is taken apart: at once."""


class Connection:
    """From `connect` on it tells its owner what happens; after `close` it is silent."""

    _mute: ClassVar[str] = " (servers that expect https hang up so, without a word)"

    __slots__ = (
        "_address",
        "_buffers",
        "_fd",
        "_loop",
        "_owner",
        "_readiness",
        "_recvmsg_into",
        "_send",
        "_sock",
        "_unsent",
        "_writing",
        "answers",
        "begun_ns",
        "connecting",
        "exchange",
        "heard_ns",
        "kernel_reads",
        "reader",
        "user_reads",
    )

    def __init__(
        self,
        means: Means,
        reader: ResponseReader,
        owner: Owner,
    ) -> None:
        self._loop = means.loop
        self._readiness = means.readiness
        self._address = means.address
        self._owner = owner
        self._buffers = [means.buffer]
        self._sock: socket.socket | None = None
        self._unsent: memoryview | None = None
        self._writing = False
        self.reader = reader
        self.exchange: Exchange | None = None
        """What is under way, or waits for the connection."""
        self.connecting = False
        self.begun_ns = 0
        """When connecting began: CLOCK_REALTIME ns."""
        self.answers = 0
        """Complete answers that came over it."""
        self.heard_ns = 0
        """Stamp of the last read that brought something of the answer that is under way, 0 before the first."""
        self.kernel_reads = 0
        self.user_reads = 0

    # Opening and closing.

    def connect(self) -> None:
        """Begin to connect; ends with the owner's `connected` or `ended`, never from within this call.

        Raises:
            OSError: not even a socket could be had.
        """
        sock = new_socket(self._address)
        self._hold(sock)
        code = sock.connect_ex(self._address.sockaddr)
        if code in (0, errno.EINPROGRESS, errno.EINTR):
            self._loop.add_writer(self._fd, self._on_connected)
            self._writing = True
        else:
            self._loop.call_soon(self._refused, code)

    def adopt(self, sock: socket.socket) -> None:
        """Take over a socket that is connected."""
        self._hold(sock)
        self._ready()

    @property
    def awaited(self) -> str:
        """What `connecting` waits for, as a timeout names it."""
        return f"connection to {self._address}"

    def _hold(self, sock: socket.socket) -> None:
        self.connecting = True
        self.begun_ns = time_ns()
        self._sock = sock
        self._fd = sock.fileno()
        self._recvmsg_into = sock.recvmsg_into
        self._send = sock.send

    def _on_connected(self) -> None:
        assert self._sock is not None
        self._stop_writing()
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._refused(code)
        else:
            self._ready()

    def _ready(self) -> None:
        self.connecting = False
        self._readiness.watch(self._fd, self._on_readable)
        self._owner.connected(self)

    def _refused(self, code: int) -> None:
        if self._sock is None:
            return
        reason = reason_of(OSError(code, os.strerror(code)), 0.0)
        if code == errno.EADDRNOTAVAIL:
            reason += _NO_PORT
        self.fail(Failure("connect", f"cannot connect to {self._address}: {reason}"))

    def fail(self, failure: Failure) -> None:
        """End what is under way with this failure, now."""
        self._owner.ended(self, failure, time_ns())

    def close(self) -> None:
        """Close the socket; idempotent."""
        if self._sock is None:
            return
        self._stop_writing()
        self._readiness.forget(self._fd)
        self._sock.close()
        self._sock = None
        self.reader.close()
        del self._recvmsg_into, self._send

    # Sending.

    def start(self, exchange: Exchange) -> None:
        """Send this exchange's request; the connection must be idle."""
        self.exchange = exchange
        self.heard_ns = 0
        self.reader.begin()
        exchange.t_sent = 0
        exchange.t0 = time_ns()
        self._transmit(exchange.request)

    def _put(self, data: bytes | memoryview) -> None:
        """Hand this to the socket, now and whenever it takes more."""
        try:
            sent = self._send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # The server hung up. It may have answered before that (413, say), and the read end knows: it is
            # readable now, and tells.
            self._stop_writing()
            return
        if sent == len(data):
            self._unsent = None
            self._stop_writing()
            exchange = self.exchange
            if exchange is not None and not exchange.t_sent and not self.connecting:
                exchange.t_sent = time_ns()
            return
        self._unsent = memoryview(data)[sent:]
        if not self._writing:
            self._loop.add_writer(self._fd, self._on_writable)
            self._writing = True

    _transmit = _put

    def _on_writable(self) -> None:
        if self._unsent is not None:
            self._put(self._unsent)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    # Receiving.

    def _on_readable(self) -> None:
        try:
            n, ancillary, _, _ = self._recvmsg_into(self._buffers, ANCILLARY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._hung_up(time_ns(), error)
            return
        if not n:
            self._hung_up(time_ns(), None)
            return
        if ancillary and ancillary[0][1] == SO_TIMESTAMPNS:
            seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
            stamp = seconds * _BILLION + nanoseconds
            self.kernel_reads += 1
        else:
            stamp = time_ns()
            self.user_reads += 1
        self._receive(self._buffers[0][:n], stamp)

    def _receive(self, data: memoryview, stamp: int) -> None:
        exchange = self.exchange
        if exchange is None:
            self._owner.lost_idle(self)  # it speaks without being asked: of no use any more
            return
        self.heard_ns = stamp
        if exchange.watch is not None:
            self._receive_watched(exchange, data, stamp)
            return
        failure = self.reader.feed(data, stamp)
        if failure is not None:
            self._owner.ended(self, self._explained(failure, data), stamp)
        elif self.reader.complete:
            self._owner.ended(self, None, stamp)

    def _receive_watched(self, exchange: Exchange, data: memoryview, stamp: int) -> None:
        reader = self.reader
        before = len(reader.parts)
        failure = reader.feed(data, stamp)
        if len(reader.parts) > before and exchange.watch is not None:
            exchange.status, exchange.headers, exchange.t_hdr = reader.status, reader.headers, reader.t_hdr
            exchange.parts, exchange.stamps = reader.parts, reader.stamps
            exchange.watch(exchange)
        if self.exchange is not exchange:
            return  # the watcher cancelled it
        if failure is not None or reader.complete:
            self._owner.ended(self, failure, stamp)

    def _explained(self, failure: Failure, data: memoryview) -> Failure:
        if self.reader.t_hdr or bytes(data[:2]) not in _TLS_RECORD:
            return failure
        return Failure("protocol", f"{self._address} speaks TLS, not plain HTTP; give its https:// URL")

    def _hung_up(self, now: int, error: OSError | None) -> None:
        # A FIN and a RST bring no stamp; an answer that ends with the connection ends at `now`, read here.
        if self.exchange is None:
            self._owner.lost_idle(self)
        elif error is None and self.reader.end_of_stream():
            self._owner.ended(self, None, now)
        else:
            self._owner.ended(self, self._why_hung_up(error), now)

    def _why_hung_up(self, error: OSError | None) -> Failure:
        how = "reset the connection" if error is not None else "closed the connection"
        if error is not None and error.errno not in (errno.ECONNRESET, errno.EPIPE):
            how = f"was lost ({reason_of(error, 0.0)})"
        if not self.reader.t_hdr:
            guess = "" if self.heard_ns or self.answers else self._mute
            return Failure("reset", f"the server {how} before the head of its answer was complete{guess}")
        kind = "reset" if error is not None else "truncated"
        return Failure(kind, f"the server {how} in the middle of its answer")

    @property
    def untouched(self) -> bool:
        """Not one byte of the answer has come."""
        return self.heard_ns == 0

    @property
    def reusable(self) -> bool:
        """Request and answer are complete and another request may follow on this connection."""
        reader, exchange = self.reader, self.exchange
        sent = exchange is not None and exchange.t_sent > 0
        return sent and reader.complete and reader.keep_alive and not reader.surplus
