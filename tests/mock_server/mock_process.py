"""A mock server in a process of its own, and a client that shows the bytes."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DEADLINE_S = 10.0
_SERVE = """
import json, sys
from pytest_aiperf.mock_server.listener import listen
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.mock_server.server import MockServer
server = MockServer(MockOptions.from_dict(json.loads(sys.argv[1])), listen())
print(server.port, flush=True)
server.run(stop_fd=0)
"""


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> list[str]:
        """The payloads of the stream's messages."""
        lines = self.body.decode().split("\n\n")
        assert lines.pop() == "", "the stream ends in the middle of a message"
        assert all(line.startswith("data: ") for line in lines)
        return [line.removeprefix("data: ") for line in lines]


class MockProcess:
    """A server process; it ends when its stdin is closed, so also with this process."""

    def __init__(self, options: dict[str, Any], prefix: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", prefix + _SERVE, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.port = int(self.process.stdout.readline())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, raw, {k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def chat(self, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
        return self.request("POST", "/v1/chat/completions", chat_body(**fields), **(headers or {}))

    def log(self) -> dict[str, Any]:
        return self.request("GET", "/log").json

    def stop(self) -> int:
        self.process.stdin.close()
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()


def chat_body(**fields: Any) -> dict[str, Any]:
    return {"model": "mock", "messages": [{"role": "user", "content": "one two three"}], **fields}


def raw_chat(*, headers: str = "", **fields: Any) -> bytes:
    body = json.dumps(chat_body(**fields)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def read_until(sock: socket.socket, end: bytes | tuple[bytes, ...]) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = sock.recv(65_536)
        assert piece, f"the connection ended after {data!r}"
        data += piece
    return data


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
