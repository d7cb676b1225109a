"""A server on a raw socket that does to each connection what its script says. It asserts nothing itself."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

DEADLINE_S = 20.0


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """One accepted connection, as its script sees it."""

    sock: socket.socket
    number: int
    over: threading.Event
    requests: list[Request]
    _unread: bytes = field(default=b"")

    def request(self) -> Request | None:
        """Read one request; None when the client closed."""
        while b"\r\n\r\n" not in self._unread:
            if not self._more():
                return None
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = dict(h.split(": ", 1) for h in rest)
        length = int(headers.get("content-length", "0"))
        while len(self._unread) < length:
            if not self._more():
                return None
        body, self._unread = self._unread[:length], self._unread[length:]
        request = Request(line, headers, body)
        self.requests.append(request)
        return request

    def _more(self) -> bool:
        data = self.sock.recv(65536)
        self._unread += data
        return bool(data)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close so that the client gets a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def hold(self) -> None:
        """Say nothing until the test is over."""
        self.over.wait(DEADLINE_S)


class ScriptedServer:
    """Runs `script` in a thread of its own for each connection."""

    def __init__(
        self, script: Callable[[Wire], None], *, family: socket.AddressFamily = socket.AF_INET
    ) -> None:
        self._script = script
        self._over = threading.Event()
        self._listener = socket.create_server(
            ("" if family == socket.AF_INET else "::1", 0), family=family, backlog=512
        )
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        host = "[::1]" if family == socket.AF_INET6 else "127.0.0.1"
        self.url = f"http://{host}:{self.port}/v1/chat/completions"
        self.requests: list[Request] = []
        self.connections = 0
        self.crashes: list[BaseException] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.stop_listening()
        for sock in self._open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(DEADLINE_S)

    def stop_listening(self) -> None:
        """Refuse connections from now on; idempotent."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(DEADLINE_S)
            self._open.append(sock)
            wire = Wire(sock, self.connections, self._over, self.requests)
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(wire,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, wire: Wire) -> None:
        try:
            self._script(wire)
        except OSError:
            pass  # the client hung up, or the test is over
        finally:
            wire.sock.close()


# What scripts send.


def head(status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


STREAM_HEAD = head(content_type="text/event-stream", transfer_encoding="chunked")
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


def token(text: str, finish: str = "null") -> bytes:
    return event(f'{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":{finish}}}]}}')


BODY = b'{"model":"m","messages":[{"role":"user","content":"hello"}],"stream":true}'
"""A request."""
ROLE = event('{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}')
USAGE = event(
    '{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":1}}}'
)
DONE = event("[DONE]")
STORY = [ROLE, token("a"), token("b"), token("c", '"stop"'), USAGE, DONE]
"""A complete stream with three content messages."""


def stream(events: list[bytes]) -> bytes:
    """A whole chunked answer."""
    return STREAM_HEAD + b"".join(map(chunk, events)) + LAST_CHUNK


def whole(
    body: bytes, status: str = "200 OK", content_type: str = "application/json", **headers: str
) -> bytes:
    """An answer with a content length."""
    return head(status, content_type=content_type, content_length=str(len(body)), **headers) + body


def answering(answer: bytes) -> Callable[[Wire], None]:
    """A script: this answer to every request, on connections that stay open."""

    def script(wire: Wire) -> None:
        while wire.request() is not None:
            wire.send(answer)

    return script


def then_close(answer: bytes) -> Callable[[Wire], None]:
    """A script: one answer, then the connection is closed."""

    def script(wire: Wire) -> None:
        if wire.request() is not None:
            wire.send(answer)

    return script


def pieces(data: bytes, size: int) -> list[bytes]:
    return re.findall(b"(?s).{1,%d}" % size, data)
