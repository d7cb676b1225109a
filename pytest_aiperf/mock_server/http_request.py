"""PYTEST_DONT_REWRITE. Reading requests from a connection's bytes: HTTP/1.1 with Content-Length, no more.

Hand-written over `bytes.find`: the callbacks of a general parser cost more than the rest of a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 64 * 1024 * 1024


class BadRequestError(Exception):
    """The bytes are not a request that this server reads; `status` is the answer, after which it hangs up."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """What the server needs to know of a head."""

    method: bytes
    path: bytes
    """Without the query."""
    body_bytes: int
    request_id: str
    closes: bool
    """The client asked for the connection to be closed after the answer."""
    expects_continue: bool


class HeadReader:
    """Reads heads and remembers those without an id: a load sends the same head with every request."""

    def __init__(self) -> None:
        self._known: dict[bytes, RequestHead] = {}

    def read(self, raw: bytes) -> RequestHead:
        """Return what the head says; `raw` goes from the request line to the last line's CRLF."""
        head = self._known.get(raw)
        if head is None:
            head = _parse(raw)
            if not head.request_id:
                if len(self._known) >= 256:
                    self._known.clear()
                self._known[raw] = head
        return head


class RequestBuffer:
    """What a client sent and the server has not answered: any split of the bytes gives the same requests."""

    __slots__ = ("_head", "_heads", "_unread", "wants_continue")

    def __init__(self, heads: HeadReader) -> None:
        self._heads = heads
        self._head: RequestHead | None = None
        self._unread: bytes | bytearray = b""
        self.wants_continue = False
        """The client waits for ``100 Continue`` before it sends the body."""

    def __len__(self) -> int:
        return len(self._unread)

    def clear(self) -> None:
        """Throw away what is there."""
        self._unread = b""

    def feed(self, data: bytes) -> None:
        """Append what was read."""
        if not self._unread:
            self._unread = data
        elif isinstance(self._unread, bytearray):
            self._unread += data
        else:
            self._unread = bytearray(self._unread) + data

    def take(self) -> tuple[RequestHead, bytes] | None:
        """Return the next complete request with its body, or None. Raises `BadRequestError`."""
        unread = self._unread
        end = unread.find(b"\r\n\r\n")
        if end < 0:
            if len(unread) > MAX_HEAD_BYTES:
                raise BadRequestError(431, f"The head is longer than {MAX_HEAD_BYTES} bytes.")
            return None
        head = self._head or self._heads.read(bytes(unread[: end + 2]))
        body_end = end + 4 + head.body_bytes
        if len(unread) < body_end:
            self.wants_continue = head.expects_continue and self._head is None
            self._head = head
            return None
        self._head = None
        self.wants_continue = False
        self._unread = unread[body_end:]
        return head, bytes(unread[end + 4 : body_end])


def _parse(raw: bytes) -> RequestHead:
    line, _, _ = raw.partition(b"\r\n")
    words = line.split(b" ")
    if len(words) != 3 or words[2] != b"HTTP/1.1":
        raise BadRequestError(
            505 if words[-1].startswith(b"HTTP/") else 400, "This server speaks HTTP/1.1 only."
        )
    lower = raw.lower()
    if b"\r\ntransfer-encoding:" in lower:
        raise BadRequestError(411, "Send the body with a Content-Length; chunked requests are not read.")
    length = _value(raw, lower, b"\r\ncontent-length:") or b"0"
    if not length.isdigit():
        raise BadRequestError(400, f"Content-Length {length.decode('latin-1')!r} is not a number.")
    if int(length) > MAX_BODY_BYTES:
        raise BadRequestError(413, f"The body is longer than {MAX_BODY_BYTES} bytes.")
    return RequestHead(
        method=words[0],
        path=words[1].partition(b"?")[0],
        body_bytes=int(length),
        request_id=_value(raw, lower, b"\r\nx-request-id:").decode("latin-1"),
        closes=b"close" in _value(lower, lower, b"\r\nconnection:"),
        expects_continue=b"100-continue" in _value(lower, lower, b"\r\nexpect:"),
    )


def _value(raw: bytes, lower: bytes, name: bytes) -> bytes:
    at = lower.find(name)
    if at < 0:
        return b""
    at += len(name)
    return raw[at : lower.find(b"\r\n", at)].strip()
