"""A server in a thread that answers each path as the test wrote it down, byte for byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable


def answer(body, *, status="200 OK", content_type="text/plain; version=0.0.4", length=None, **headers):
    """A whole answer; `length` is what is claimed, None the truth, False not told."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    if length is not False:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class ScriptedServer:
    """`paths` may be changed while it runs: bytes, a function that returns them, or None to stall."""

    def __init__(self, **paths: bytes | Callable[[], bytes] | None) -> None:
        self.paths: dict[str, bytes | Callable[[], bytes] | None] = dict(paths)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def count(self, path):
        return sum(asked == path for asked, _ in self.asked)

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._reply, args=(connection,), daemon=True).start()

    def _reply(self, connection):
        try:
            text = b""
            while b"\r\n\r\n" not in text:
                more = connection.recv(65536)
                if not more:
                    return
                text += more
            first, *lines = text.decode().split("\r\n\r\n")[0].split("\r\n")
            path = first.split(" ")[1]
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            self.asked.append((path, headers))
            reply = self.paths.get(path, answer("not here", status="404 Not Found"))
            if reply is None:
                self._held.append(connection)
                return
            connection.sendall(reply() if callable(reply) else reply)
        except OSError:
            pass  # the client had enough
        if connection not in self._held:
            connection.close()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._listener.close()
        for connection in self._held:
            connection.close()
