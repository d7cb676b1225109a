"""A small chat server of its own kind: TLS if wanted, and it remembers the headers that it was sent."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme

TOKENS = 4


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        self._answer("application/json", b'{"data": [{"id": "small"}]}')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        chunks = [{"choices": [{"delta": {"content": "word "}, "finish_reason": None}]}] * TOKENS
        chunks.append({"choices": [{"delta": {}, "finish_reason": "length"}]})
        chunks.append({"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": TOKENS}})
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        self._answer("text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode())

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that refuses the certificate is what some tests are about."""


@contextlib.contextmanager
def serving(*, tls: bool = False, port: int = 0) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the server's URL and the headers of each request that it got, as they come."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.seen = []
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", server.seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
