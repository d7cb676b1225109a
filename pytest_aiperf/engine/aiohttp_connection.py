"""PYTEST_DONT_REWRITE. A connection that aiohttp made: bytes go out and come in here, and not through its client.

aiohttp's protocol on the transport is replaced (`set_protocol` is asyncio's way for that), so the first thing that
happens to received data is that it is stamped: in `data_received`, which the loop calls right after its `recv`. What
was weighed and left: reading `response.content` stamps when a task gets its turn, after the parser and after all that
was ready before it, and it merges reads; `TraceConfig` tells of a chunk when somebody takes it, later still; a socket
whose `recv` asks for the kernel's stamp works on asyncio's loop, but not on uvloop, and not under TLS.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from ssl import SSLError
from time import time_ns
from typing import ClassVar

from pytest_aiperf.engine.address import Target
from pytest_aiperf.engine.aiohttp_opener import ConnectingError, HeldConnection, Opener, place_of
from pytest_aiperf.engine.connection import Connection, Means, Owner
from pytest_aiperf.engine.proxies import Proxy
from pytest_aiperf.engine.response_reader import ResponseReader
from pytest_aiperf.engine.tls import why_broken_off


@dataclass(frozen=True, slots=True, kw_only=True)
class AiohttpMeans(Means):
    """What all connections to one target share."""

    opener: Opener
    target: Target
    proxy: Proxy | None


class AiohttpConnection(Connection):
    """What a connection does with its exchanges, on a transport of asyncio's."""

    _mute: ClassVar[str] = ""

    __slots__ = ("_closed", "_held", "_means", "_opening", "_tap", "_transport")

    def __init__(self, means: AiohttpMeans, reader: ResponseReader, owner: Owner) -> None:
        super().__init__(means, reader, owner)
        self._means = means
        self._opening: asyncio.Task[None] | None = None
        self._held: HeldConnection | None = None
        self._closed = False
        self._tap: _Tap | None = None
        self._transport: asyncio.Transport

    # Opening and closing.

    def connect(self) -> None:
        """Begin to connect; ends with the owner's `connected` or `ended`, never from within this call."""
        self.connecting = True
        self.begun_ns = time_ns()
        self._opening = self._loop.create_task(self._open())
        self._opening.add_done_callback(_raise_from)

    async def _open(self) -> None:
        try:
            held = await self._means.opener.open(self._means.target, self._means.proxy)
        except ConnectingError as error:
            self.fail(error.failure)
        else:
            self.take_over(held)

    def take_over(self, held: HeldConnection) -> None:
        """Go on with a connection that is open."""
        assert held.transport is not None
        self.connecting = False
        self._held, self._transport = held, held.transport
        self._transport.set_write_buffer_limits(
            high=1, low=0
        )  # so that `resume_writing` means: all of it is out
        self._tap = _Tap(self)
        self._transport.set_protocol(self._tap)
        self._owner.connected(self)

    @property
    def awaited(self) -> str:
        return f"connection to {place_of(self._means.target, self._means.proxy)}"

    def close(self) -> None:
        """Close at once, whatever is still unsent; idempotent."""
        if self._closed:
            return
        self._closed = True
        self.connecting = False
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._held is not None and self._tap is not None:
            self._tap.connection = None
            self._transport.abort()
            self._held.close()
        self.reader.close()

    # Sending.

    def _transmit(self, data: bytes | memoryview) -> None:
        means = self._means
        if means.proxy is not None and means.target.scheme == "http":
            data = _for_proxy(bytes(data), means.target, means.proxy)
        self._transport.write(data)
        if not self._transport.get_write_buffer_size():
            self.all_sent()

    def all_sent(self) -> None:
        """The last byte left for the socket."""
        if self.exchange is not None and not self.exchange.t_sent:
            self.exchange.t_sent = time_ns()

    # Receiving.

    def received(self, data: bytes, stamp: int) -> None:
        """One read brought this."""
        self.user_reads += 1
        self._receive(memoryview(data), stamp)

    def lost(self, error: Exception | None) -> None:
        """The server closed, or the connection broke."""
        if isinstance(error, SSLError) and self.exchange is not None:
            self.fail(why_broken_off(error, answering=bool(self.reader.t_hdr)))
        else:
            self._hung_up(
                time_ns(), error if isinstance(error, OSError) or error is None else OSError(str(error))
            )


class DirectConnection(AiohttpConnection):
    """One in clear text and without a proxy."""

    _mute: ClassVar[str] = Connection._mute


class _Tap(asyncio.Protocol):
    """What asyncio calls."""

    def __init__(self, connection: AiohttpConnection) -> None:
        self.connection: AiohttpConnection | None = connection
        """None once that is closed: then nobody listens any more."""

    def data_received(self, data: bytes) -> None:
        stamp = time_ns()
        if self.connection is not None:
            self.connection.received(data, stamp)

    def eof_received(self) -> None:
        # Told now, not when the connection is lost: asyncio first sends what is unsent, and nobody may read that.
        if self.connection is not None:
            self.connection.lost(None)

    def resume_writing(self) -> None:
        if self.connection is not None:
            self.connection.all_sent()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.connection is not None:
            self.connection.lost(exc)


def _for_proxy(request: bytes, target: Target, proxy: Proxy) -> bytes:
    """A proxy is told the whole URL in the request line, and who asks (RFC 9112, 3.2.2)."""
    method, _, rest = request.partition(b" ")
    line, _, rest = rest.partition(b"\r\n")
    who = "" if proxy.authorization is None else f"proxy-authorization: {proxy.authorization}\r\n"
    return b"%b %b%b\r\n%b%b" % (method, target.origin.encode("ascii"), line, who.encode("ascii"), rest)


def _raise_from(task: asyncio.Task[None]) -> None:
    """Let an exception that nobody foresaw out where the run sees it: in a callback of the loop."""
    if not task.cancelled():
        task.result()
