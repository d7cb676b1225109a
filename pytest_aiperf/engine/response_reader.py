"""PYTEST_DONT_REWRITE. Takes the bytes of a connection apart into HTTP answers, without looking into their bodies.

One parser serves all answers of a connection. A body is kept as the pieces in which it came, each with the stamp of
its read; joining and decoding wait until the answer is complete. Pieces go straight from the parser into a list
(`on_body` is that list's `append`), because with a call of ours for each the parser would cost three times as much.
"""

from __future__ import annotations

from typing import Final

import httptools

from pytest_aiperf.engine.refusals import snippet
from pytest_aiperf.engine.transport import Exchange, Failure

_KEPT: Final = frozenset(
    {b"content-type", b"content-encoding", b"content-length", b"transfer-encoding", b"location"}
)


class _SurplusError(Exception):
    """Stops the parser where the next answer begins that nobody asked for."""


class ResponseReader:
    """Reads one answer at a time: `begin`, then `feed` until `complete`, then `hand_over`."""

    __slots__ = (
        "_body_limit",
        "_head_bytes",
        "_head_limit",
        "_look_at",
        "_message_limit",
        "_parser",
        "_received",
        "_stamp",
        "complete",
        "headers",
        "keep_alive",
        "on_body",
        "parts",
        "stamps",
        "status",
        "surplus",
        "t_hdr",
    )

    def __init__(
        self, *, head_limit_bytes: int, body_limit_bytes: int, message_limit_bytes: int | None = None
    ) -> None:
        """A message limit is that of the lines of an event stream; None where the answer is not one."""
        self._head_limit = head_limit_bytes
        self._body_limit = body_limit_bytes
        self._message_limit = body_limit_bytes if message_limit_bytes is None else message_limit_bytes
        self.parts: list[bytes] = []
        self.on_body = self.parts.append
        self._parser = httptools.HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Expect the next answer."""
        self._stamp = 0
        self._head_bytes = 0
        self._received = 0
        self._look_at = min(self._message_limit, self._body_limit)
        self.complete = False
        self.surplus = False
        """The server sent more than its answer: the connection cannot be used again."""
        self.keep_alive = False
        self.status = 0
        self.t_hdr = 0
        self.headers: dict[bytes, bytes] = {}
        self.parts.clear()
        self.stamps: list[int] = []

    def feed(self, data: memoryview, stamp: int) -> Failure | None:
        """Take what one read brought. Returns why it is not acceptable, if it is not."""
        self._stamp = stamp
        self._received += len(data)
        try:
            try:
                self._parser.feed_data(data)
            finally:
                new = len(self.parts) - len(self.stamps)
                if new == 1:
                    self.stamps.append(stamp)
                elif new:
                    self.stamps += [stamp] * new
        except httptools.HttpParserUpgrade:
            return Failure(
                "protocol", "the server switched to another protocol (101), which was not asked for"
            )
        except httptools.HttpParserError as error:
            if self.complete:
                self.surplus = True
                return None
            return Failure(
                "protocol", f"not an HTTP answer: {error}; it begins with {snippet(bytes(data), 80)}"
            )
        if not self.t_hdr:
            self._head_bytes += len(data)
            if self._head_bytes > self._head_limit:
                return Failure("limit", f"the head of the answer is longer than {self._head_limit} bytes")
        elif self._received > self._look_at:
            return self._too_long()
        return None

    def _too_long(self) -> Failure | None:
        """Look at the lengths of the body and of its last line, and say when to look again: not at every read."""
        body = sum(map(len, self.parts))
        if body > self._body_limit:
            return Failure("limit", f"the body of the answer is longer than {self._body_limit} bytes")
        line = 0
        for part in reversed(self.parts):
            end = max(part.rfind(b"\n"), part.rfind(b"\r")) + 1
            line += len(part) - end
            if end or line > self._message_limit:
                break
        if line > self._message_limit:
            return Failure("limit", f"a message of the stream is longer than {self._message_limit} bytes")
        # Neither can be too long before this much more has come, framing counted in.
        self._look_at = self._received + min(self._message_limit - line, self._body_limit - body)
        return None

    def end_of_stream(self) -> bool:
        """The server closed. Returns whether that completes the answer: its body has no other end."""
        framed = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        return self.t_hdr != 0 and not framed

    def hand_over(self, exchange: Exchange) -> None:
        """Give the exchange all that was read so far."""
        exchange.status = self.status
        exchange.t_hdr = self.t_hdr
        exchange.headers = self.headers
        exchange.parts = self.parts.copy()
        exchange.stamps = self.stamps

    def close(self) -> None:
        """Let go of the parser, which holds this reader: while a run goes on nothing collects such a cycle."""
        del self._parser

    # What the parser calls, in the order in which it does.

    def on_message_begin(self) -> None:
        if self.complete:
            raise _SurplusError

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _KEPT and not self.t_hdr:
            self.headers[name] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.status = status
            self.t_hdr = self._stamp
            self.keep_alive = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        if self.t_hdr:
            self.complete = True
        else:  # 100 Continue, 103 Early Hints: the answer is still to come
            self.headers = {}
