"""PYTEST_DONT_REWRITE. One client connection: its socket, what waits to be sent, its place in the answer."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Final

from pytest_aiperf.mock_server.http_request import RequestBuffer
from pytest_aiperf.mock_server.poller import READ, WRITE
from pytest_aiperf.mock_server.send_log import NOT_LOGGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_aiperf.mock_server.http_request import HeadReader
    from pytest_aiperf.mock_server.poller import Poller
    from pytest_aiperf.mock_server.script import Script

READ_BYTES: Final = 65_536
_LINGER_RESET: Final = struct.pack("ii", 1, 0)
_unpack_stamp = struct.Struct("qq").unpack_from


class Connection:
    """State of a connection. It answers one request at a time; what comes meanwhile stays in `requests`."""

    __slots__ = (
        "_pending",
        "_poller",
        "_recvmsg",
        "_send",
        "_sock",
        "base",
        "busy",
        "closes",
        "count",
        "deaf",
        "fd",
        "feed",
        "messages",
        "next_message",
        "number",
        "offsets",
        "open",
        "requests",
        "row",
        "script",
        "serving",
        "start_ns",
        "ticket",
        "tokens",
    )

    def __init__(self, sock: socket.socket, poller: Poller, heads: HeadReader) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._send = sock.send
        self._recvmsg = sock.recvmsg
        self._poller = poller
        self._pending: bytearray | None = None
        self.fd = sock.fileno()
        self.open = True
        self.deaf = False
        """The answer is complete and the connection half closed: what still comes is thrown away."""
        self.requests = RequestBuffer(heads)
        self.busy = False
        """A request is being answered."""
        self.serving = False
        """Its answer has begun: it is not in the queue."""
        self.closes = False
        """The client wants the connection closed after this answer."""
        self.feed: Iterator[bytes] | None = None
        # The playback's place in the script:
        self.script: Script | None = None
        self.messages: Sequence[bytes] = ()
        self.count = 0
        self.tokens = 0
        self.offsets: Sequence[int] = ()
        self.start_ns = 0
        self.next_message = 0
        self.number = 0
        self.ticket = 0
        """Names the heap entries that are still meant; 0: none."""
        self.row = NOT_LOGGED
        self.base = 0
        poller.register(self.fd)

    def read(self) -> tuple[bytes, int]:
        """Return what came, and the CLOCK_REALTIME ns at which the kernel had it; no bytes: the peer is gone.

        Raises BlockingIOError when nothing came.
        """
        try:
            data, ancillary, _, _ = self._recvmsg(READ_BYTES, 64)
        except BlockingIOError:
            raise
        except OSError:
            return b"", 0
        if ancillary:
            seconds, nanoseconds = _unpack_stamp(ancillary[0][2])
            return data, seconds * 1_000_000_000 + nanoseconds
        return data, time.time_ns()

    @property
    def waits_to_send(self) -> bool:
        """The peer does not read fast enough."""
        return self._pending is not None

    def write(self, data: bytes) -> bool:
        """Send `data`, or keep what the socket does not take; return False when the peer is gone."""
        if self._pending is not None:
            self._pending += data
            return True
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return False
        if sent < len(data):
            self._pending = bytearray(data[sent:])
            self._poller.modify(self.fd, READ | WRITE)
        return True

    def flush(self) -> bool:
        """Send what was kept; return False when the peer is gone."""
        pending = self._pending
        if pending:
            try:
                del pending[: self._send(pending)]  # cheap: a bytearray only moves its beginning
            except BlockingIOError:
                return True
            except OSError:
                return False
        if not pending:
            self._pending = None
            self._poller.modify(self.fd, READ)
            if self.deaf:
                self._half_close()
        return True

    def finish(self) -> None:
        """Announce that nothing more will be sent, once all is out. The peer hangs up next."""
        self.deaf = True
        self.requests.clear()
        if self._pending is None:
            self._half_close()

    def _half_close(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the peer has hung up already; the next read tells

    def reset(self) -> None:
        """Make the kernel send RST instead of FIN when the connection is closed."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)

    def close(self) -> None:
        """Give the socket back."""
        self.open = False
        self.ticket = 0
        self.feed = None
        self._poller.unregister(self.fd)
        self._sock.close()
