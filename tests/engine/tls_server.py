"""Certificates that last for a test session, and TLS for the scripted server's scripts."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trustme
from scripted_server import Wire


@dataclass
class Authority:
    """Issues certificates; its own is in `ca_file`."""

    folder: Path

    def __post_init__(self) -> None:
        self._ca = trustme.CA()
        self.ca_file = str(self.folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca_file)

    def server(
        self, *names: str, days: int = 30, client_certificates: bool = False, tls: str = "TLSv1_3"
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion[tls]
        context.set_alpn_protocols(["h2", "http/1.1"])
        now = datetime.datetime.now(tz=datetime.UTC)
        issued = self._ca.issue_cert(
            *(names or ("localhost", "127.0.0.1", "::1")),
            not_before=now - datetime.timedelta(days=60),
            not_after=now + datetime.timedelta(days=days),
        )
        issued.configure_cert(context)
        if client_certificates:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
        return context

    def client(self) -> tuple[str, str]:
        """Files with a client's certificate and with its key."""
        issued = self._ca.issue_cert("client@example.test")
        certificate, key = self.folder / "client.pem", self.folder / "client.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return str(certificate), str(key)


def over_tls(context: ssl.SSLContext, script: Callable[[Wire], None]) -> Callable[[Wire], None]:
    """The script, behind a handshake. An end without close_notify is an error in it."""

    def wrapped(wire: Wire) -> None:
        wire.sock = context.wrap_socket(wire.sock, server_side=True, suppress_ragged_eofs=False)
        script(wire)

    return wrapped


def https(server: object) -> str:
    return server.url.replace("http:", "https:")


class Records:
    """TLS by hand: the script has the records as bytes, and may send them as it likes."""

    def __init__(self, context: ssl.SSLContext, wire: Wire) -> None:
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._until(self._tls.do_handshake)
        wire.sock.sendall(self._outgoing.read())

    def _until(self, step: Callable[[], object]) -> object:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                wire, said = self._wire, self._outgoing.read()
                wire.sock.sendall(said)
                self._incoming.write(wire.sock.recv(65536))

    def read(self) -> bytes:
        return self._until(self._tls.read)

    def record(self, data: bytes) -> bytes:
        self._tls.write(data)
        return self._outgoing.read()

    def fatal_alert(self) -> bytes:
        """What this end says when it is sent nonsense."""
        self._incoming.write(b"\x17\x03\x03\x00\x20" + 32 * b"x")
        try:
            self._tls.read()
        except ssl.SSLError:
            pass
        return self._outgoing.read()
