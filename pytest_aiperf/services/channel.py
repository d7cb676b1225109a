"""PYTEST_DONT_REWRITE. Framed messages over an inherited socket: the only link between us and a child.

A frame is a fixed prefix, a JSON header and raw buffers. Numeric columns travel as they lie in memory: 50 MB
of stamps cost a copy through the kernel, not an encoding. `multiprocessing.connection` would pickle, joins
large messages before it sends them, and can wait for a message to begin but not for its end; hence our own.

Each buffer is received into memory of its own: numpy finds aligned int64 columns there, and who keeps one small
column does not keep a hundred megabytes of request bodies with it.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from pytest_aiperf.common.errors import AiperfError, MeasurementError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START: Final = "start"
"""Parent to child, first and once: who the parent is, and the service's configuration."""
READY: Final = "ready"
STOP: Final = "stop"
ABORT: Final = "abort"
PROGRESS: Final = "progress"
"""Child to parent while a request is in work; every other kind ends the request."""
FAILED: Final = "failed"
"""Child to parent: the request failed with an error of ours; the process lives on."""
CRASHED: Final = "crashed"
"""Child to parent: an error that nobody caught; the process ends."""

SEND_DEADLINE_S: Final = 60.0
HEADER_LIMIT_BYTES: Final = 64 * 1024 * 1024
BODY_LIMIT_BYTES: Final = 64 * 1024**3
_MAGIC: Final = b"aip1"
_PREFIX: Final = struct.Struct("!4sIQ")

Buffer = bytes | bytearray | memoryview


class ChannelClosedError(AiperfError):
    """The other side is gone: end-of-file or a broken pipe."""


class DeadlineError(MeasurementError, TimeoutError):
    """What was waited for did not come in time."""


class MalformedFrameError(MeasurementError):
    """What arrived is not a frame of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One frame, its buffers aligned to eight bytes."""

    kind: str
    payload: dict[str, Any] = field(default_factory=dict)
    buffers: Sequence[memoryview] = ()


class Channel:
    """One end of a connected stream socket, which it owns. Sending is safe from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._sending = threading.Lock()
        self._posted: deque[str] = deque()
        self._torn = False

    def fileno(self) -> int:
        """Return the descriptor, for an event loop to watch; -1 once closed."""
        return self._sock.fileno()

    def send(
        self,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
        *,
        deadline_s: float = SEND_DEADLINE_S,
    ) -> None:
        """Send one frame.

        Raises:
            ChannelClosedError: the other side is gone, or an earlier frame was left half sent.
            DeadlineError: the other side does not read.
        """
        deadline = time.monotonic() + deadline_s
        if not self._sending.acquire(timeout=max(0.0, deadline_s)):
            raise DeadlineError(f"waited {deadline_s:g} s to send {kind!r}: another message was being sent")
        try:
            self._write(kind, payload, buffers, deadline)
        finally:
            self._sending.release()
        self._flush()

    def post(self, kind: str) -> None:
        """Send a bare message, now or behind the frame that is just being sent: callable in a signal handler.

        A handler that waited for the lock would wait for the very thread that it interrupted.
        """
        self._posted.append(kind)
        self._flush()

    def send_if_idle(self, kind: str, payload: Mapping[str, Any]) -> bool:
        """Send a small message unless that would have to wait; return whether it was sent."""
        if not _poll(self._sock, select.POLLOUT, 0.0) or not self._sending.acquire(blocking=False):
            return False
        try:
            self._write(kind, payload, (), time.monotonic() + SEND_DEADLINE_S)
        finally:
            self._sending.release()
        self._flush()
        return True

    def receive(self, deadline_s: float | None, *, waiting_for: str = "a message") -> Message:
        """Return the next message; None waits until one comes or the other side ends.

        Raises:
            ChannelClosedError: the other side is gone.
            DeadlineError: nothing complete came in time; the text says what was waited for.
            MalformedFrameError: the bytes are not a frame of ours.
        """
        deadline = None if deadline_s is None else time.monotonic() + deadline_s
        try:
            magic, header_bytes, body_bytes = _PREFIX.unpack(self._read(_PREFIX.size, deadline))
            if magic != _MAGIC or header_bytes > HEADER_LIMIT_BYTES or body_bytes > BODY_LIMIT_BYTES:
                raise MalformedFrameError(
                    f"malformed frame: prefix {magic!r}, {header_bytes} header and {body_bytes} body bytes"
                )
            header = _decoded(self._read(header_bytes, deadline))
            if sum(header["sizes"]) != body_bytes:
                raise MalformedFrameError(
                    f"malformed frame: buffers of {header['sizes']} bytes in a body of {body_bytes}"
                )
            buffers = [memoryview(self._read(size, deadline)) for size in header["sizes"]]
        except DeadlineError as error:
            raise DeadlineError(f"waited {deadline_s:.3g} s for {waiting_for}") from error
        return Message(kind=header["kind"], payload=header["payload"], buffers=buffers)

    def close(self) -> None:
        """Close this end; whoever waits on the other one sees end-of-file, copies of it in forks or not."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._sock.close()

    def _flush(self) -> None:
        while self._posted and self._sending.acquire(blocking=False):
            try:
                while self._posted:
                    self._write(self._posted.popleft(), None, (), time.monotonic() + 1.0)
            finally:
                self._sending.release()

    def _write(
        self, kind: str, payload: Mapping[str, Any] | None, buffers: Sequence[Buffer], deadline: float
    ) -> None:
        if self._torn:
            raise ChannelClosedError("an earlier message was left half sent")
        parts = [memoryview(b).cast("B") if len(b) else memoryview(b"") for b in buffers]
        sizes = [p.nbytes for p in parts]
        header = orjson.dumps({"kind": kind, "payload": payload or {}, "sizes": sizes})
        self._torn = True
        self._write_all(_PREFIX.pack(_MAGIC, len(header), sum(sizes)) + header, deadline)
        for part in parts:
            self._write_all(part, deadline)
        self._torn = False

    def _write_all(self, data: Buffer, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
            except OSError as error:
                raise ChannelClosedError(f"cannot send: {error}") from error

    def _read(self, size: int, deadline: float | None) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            try:
                count = self._sock.recv_into(rest)
            except BlockingIOError:
                self._wait(select.POLLIN, deadline)
                continue
            except OSError as error:
                raise ChannelClosedError(f"cannot receive: {error}") from error
            if count == 0:
                raise ChannelClosedError("end of file")
            rest = rest[count:]
        return data

    def _wait(self, event: int, deadline: float | None) -> None:
        remaining_s = None if deadline is None else deadline - time.monotonic()
        if remaining_s is not None and (remaining_s <= 0 or not _poll(self._sock, event, remaining_s)):
            raise DeadlineError("the other side neither reads nor writes")
        if remaining_s is None:
            _poll(self._sock, event, None)


def _poll(sock: socket.socket, event: int, timeout_s: float | None) -> bool:
    if sock.fileno() < 0:
        raise ChannelClosedError("closed on this side")
    poller = select.poll()
    poller.register(sock, event)
    return bool(poller.poll(None if timeout_s is None else timeout_s * 1000))


def _decoded(raw: bytearray) -> dict[str, Any]:
    try:
        header = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedFrameError(f"malformed frame: its header is not JSON: {error}") from error
    match header:
        case {"kind": str(), "payload": dict(), "sizes": list(sizes)}:
            if all(isinstance(size, int) and size >= 0 for size in sizes):
                return dict(header)
    raise MalformedFrameError(f"malformed frame: header {bytes(raw[:200])!r}")
