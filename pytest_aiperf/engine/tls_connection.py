"""PYTEST_DONT_REWRITE. A connection with TLS between the socket and HTTP, by memory buffers: we still do the reading.

`ssl.SSLSocket` and asyncio's TLS both read the socket themselves, and the kernel's stamp is lost. An `SSLObject` is
given what `recvmsg` brought, and gives back what that read completed, so decrypted bytes carry the stamp of the
socket read that completed their record. What decrypting takes is not in any stamp.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from pytest_aiperf.engine.connection import READ_BYTES, Connection, Means, Owner
from pytest_aiperf.engine.response_reader import ResponseReader
from pytest_aiperf.engine.tls import not_tls, why_broken_off, why_no_handshake
from pytest_aiperf.engine.transport import Failure

_RECORD_BYTES: Final = 16384 + 2048
PLAIN_BYTES: Final = READ_BYTES + _RECORD_BYTES
"""What one read can complete: all that it brought, and a record that had begun before it."""
_ALERT_OR_HANDSHAKE: Final = (0x15, 0x16)
"""With one of these begins what a server says first (RFC 8446, 5.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsMeans(Means):
    """What all TLS connections to one host share."""

    context: ssl.SSLContext
    host: str
    """Whose certificate it must be."""
    origin: str
    plain: memoryview
    """Where decrypted bytes go, until they are taken apart: at once."""


class TlsConnection(Connection):
    """Connected means: the handshake is done."""

    _mute: ClassVar[str] = ""

    __slots__ = ("_greeted", "_incoming", "_means", "_outgoing", "_plain", "_shaking", "_signed_off", "_tls")

    def __init__(self, means: TlsMeans, reader: ResponseReader, owner: Owner) -> None:
        super().__init__(means, reader, owner)
        self._means = means
        self._plain = means.plain
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = means.context.wrap_bio(self._incoming, self._outgoing, server_hostname=means.host)
        self._shaking = False
        self._greeted = False
        self._signed_off = False
        """The server said with close_notify that nothing more comes."""

    @property
    def awaited(self) -> str:
        if not self._shaking:
            return super().awaited
        if not self._greeted:
            return f"TLS greeting from {self._means.origin} (does it speak TLS there?)"
        return f"TLS handshake with {self._means.origin}"

    # Opening and closing.

    def _ready(self) -> None:
        self._shaking = True
        self._readiness.watch(self._fd, self._on_readable)
        self._shake_hands()

    def _shake_hands(self) -> bool:
        """Go on with the handshake. Returns whether the connection is up."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self._flush()  # the alert that tells the server
            self.fail(why_no_handshake(error, self._means.origin))
            return False
        self._flush()
        self._shaking = self.connecting = False
        self._owner.connected(self)
        return self._sock is not None

    def close(self) -> None:
        if self._sock is None:
            return
        if not self.connecting and self._unsent is None:
            self._sign_off()
        super().close()
        del self._tls, self._incoming, self._outgoing

    def _sign_off(self) -> None:
        """Send close_notify, if that goes without waiting: without it servers report an attack."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # the server's own has not come yet, or the connection is broken
        try:
            self._send(self._outgoing.read())
        except OSError:
            pass

    # Sending.

    def _transmit(self, data: bytes | memoryview) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError:
            return  # the server has signed off, or broken off: reading tells
        self._put(self._outgoing.read())

    def _flush(self) -> None:
        """Send what TLS has to say of its own accord, behind what is still waiting to be sent."""
        if self._outgoing.pending:
            said = self._outgoing.read()
            self._put(said if self._unsent is None else b"".join((self._unsent, said)))

    # Receiving.

    def _receive(self, data: memoryview, stamp: int) -> None:
        if not self._greeted:
            if data[0] not in _ALERT_OR_HANDSHAKE:
                self.fail(not_tls(bytes(data[:40]), self._means.origin))
                return
            self._greeted = True
        self._incoming.write(data)
        if self.connecting and not self._shake_hands():
            return
        filled, failure = self._decrypt()
        self._flush()
        if filled:
            super()._receive(self._plain[:filled], stamp)
            if self._sock is None:
                return
        if failure is not None:
            self._broken_off(failure)
        elif self._signed_off:
            self._hung_up(stamp, None)

    def _decrypt(self) -> tuple[int, ssl.SSLError | None]:
        """Return how many bytes the complete records held, and what was wrong with the next one.

        All are handed on in one go: what follows an answer within one read must not be taken for the next one.
        """
        filled, plain, incoming = 0, self._plain, self._incoming
        # typeshed knows of bytes only; into a buffer it returns a count
        read: Callable[[int, memoryview], int] = self._tls.read  # type: ignore[assignment]
        try:
            while incoming.pending:
                n = read(PLAIN_BYTES - filled, plain[filled:])
                if not n:
                    self._signed_off = True
                    break
                filled += n
        except ssl.SSLWantReadError:  # a record is not complete, or was for TLS itself: a session ticket
            pass
        except ssl.SSLError as error:
            return filled, error
        return filled, None

    def _broken_off(self, error: ssl.SSLError) -> None:
        if self.exchange is None:
            self._owner.lost_idle(self)
        else:
            self.fail(why_broken_off(error, answering=bool(self.reader.t_hdr)))

    def _hung_up(self, now: int, error: OSError | None) -> None:
        if self.connecting:
            how = "closed the connection" if error is None else "reset the connection"
            self.fail(
                Failure(
                    "tls", f"{self._means.origin} {how} during the TLS handshake; does it speak TLS there?"
                )
            )
        elif error is None and not self._signed_off and self.exchange and self.reader.end_of_stream():
            text = "the server closed the connection without TLS's close_notify: its answer may be cut off"
            self._owner.ended(self, Failure("truncated", text), now)
        else:
            super()._hung_up(now, error)
