"""A chat server that tells everybody what it was sent: credentials in errors, in streams, in odd encodings.

The first part of the path says what it does: ``http://host/refused/v1/chat/completions`` answers 401.
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

FAST_S, SLOW_S = 0.02, 0.06


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        match self.path.split("/")[1:]:
            case ["models_refused", *_]:
                self._answer(401, "text/plain", self._echo().encode(), reason=self._sent("authorization"))
            case ["models_garbage", *_]:
                self._garbage()
            case ["hangs", *_]:
                self.server.over.wait(60)
            case ["interrupted", pid, *_]:
                os.kill(int(pid), signal.SIGINT)
                self.server.over.wait(60)
            case _:
                self._answer(200, "application/json", b'{"data": [{"id": "small"}]}')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts += 1
        match self.path.split("/")[1:]:
            case ["slow", *_]:
                time.sleep(SLOW_S)
                self._stream()
            case ["refused", *_]:
                error = {"error": {"message": f"Incorrect API key provided: {self._echo()}"}}
                self._answer(401, "application/json", json.dumps(error).encode())
            case ["half", *_] if self.server.posts % 2:
                self._answer(500, "text/html", f"<h1>Sorry</h1>{html.escape(self._echo())}".encode())
            case ["page", *_]:  # longer than what is shown: it is cut within a secret
                self._answer(200, "text/html", self._straddling(300).encode())
            case ["not_json", *_]:
                self._answer(200, "text/event-stream", f"data: {self._straddling(120)}\n\n".encode())
            case ["told_in_stream", *_]:
                told = json.dumps({"error": {"message": self._echo(), "code": 400}}).replace("/", "\\/")
                self._answer(200, "text/event-stream", f"data: {told}\n\n".encode())
            case ["garbage", *_]:
                self._garbage()
            case ["dies", pid, *_]:
                _kill_load_processes(int(pid))
                self.server.over.wait(60)
            case _:
                time.sleep(FAST_S)
                self._stream()

    def _sent(self, name: str) -> str:
        return self.headers.get(name) or ""

    def _echo(self) -> str:
        values = [self._sent(name) for name in ("authorization", "x-tenant", "x-gateway-key")]
        forms = [*values, *map(quote, values), *map(html.escape, values), *map(repr, values)]
        key = values[0].removeprefix("Bearer ")
        return " | ".join([*forms, base64.b64encode(key.encode()).decode(), str(dict(self.headers))])

    def _straddling(self, length: int) -> str:
        """Return a text in which a secret begins before `length` and ends behind it."""
        key = self._sent("authorization").removeprefix("Bearer ")
        return ". " * ((length - len(key) // 2) // 2) + key + self._echo()

    def _garbage(self) -> None:
        self.wfile.write(self._straddling(80).encode())
        self.close_connection = True

    def _stream(self) -> None:
        chunks = [{"choices": [{"delta": {"content": "word "}, "finish_reason": None}]}] * 4
        chunks.append({"choices": [{"delta": {"content": self._echo()}, "finish_reason": "length"}]})
        chunks.append({"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 4}})
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        self._answer(200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode())

    def _answer(self, status: int, kind: str, body: bytes, *, reason: str | None = None) -> None:
        self.send_response(status, reason)
        self.send_header("Content-Type", kind)
        self.send_header("X-You-Sent", self._sent("authorization"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    posts = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed are what some tests are about."""


def _kill_load_processes(parent: int) -> None:
    for task in Path(f"/proc/{parent}/task").iterdir():
        for pid in map(int, (task / "children").read_text().split()):
            if b"load_worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def echoing() -> Iterator[str]:
    """Yield the server's URL."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.over = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
