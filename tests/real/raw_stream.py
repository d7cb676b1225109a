"""What the server really sends, read from a bare socket: the truth to hold the product's numbers against."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

DEADLINE_S: Final = 30.0
_LAST_CHUNK: Final = b"0\r\n\r\n"


@dataclass(kw_only=True)
class Stream:
    """One streamed answer. Stamps are in milliseconds since just before the request was sent."""

    status: int = 0
    messages: list[Any] = field(default_factory=list)
    message_ms: list[float] = field(default_factory=list)
    done: bool = False
    """``data: [DONE]`` came."""
    whole: bool = False
    """The body has its last chunk: HTTP says that nothing is missing."""
    body: bytes = b""

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [message["choices"][0]["delta"] for message in self.messages]

    @property
    def text_ms(self) -> list[float]:
        """Arrival of each message whose text is not empty."""
        return [at for at, delta in zip(self.message_ms, self.deltas, strict=True) if delta.get("content")]

    @property
    def finish_reason(self) -> str | None:
        return self.messages[-1]["choices"][0]["finish_reason"] if self.messages else None


def read_stream(url: str, prompt: str, *, max_tokens: int, **fields: Any) -> Stream:
    """Ask for a chat completion on a connection of its own and read until the server closes it."""
    message = {"role": "user", "content": prompt}
    body = {"model": "any", "messages": [message], "max_tokens": max_tokens, "stream": True} | fields
    payload = json.dumps(body).encode()
    target = urlsplit(url)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    stream = Stream()
    with socket.create_connection(
        (urlsplit(url).hostname, urlsplit(url).port), timeout=DEADLINE_S
    ) as connection:
        start = time.perf_counter()
        connection.sendall(head.encode() + payload)
        rest = b""
        while piece := connection.recv(65536):
            at_ms = (time.perf_counter() - start) * 1e3
            stream.body += piece
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                _take(stream, line, at_ms)
    stream.status = int(stream.body.split(b" ", 2)[1])
    stream.whole = stream.body.endswith(_LAST_CHUNK)
    return stream


def _take(stream: Stream, line: bytes, at_ms: float) -> None:
    if line == b"data: [DONE]":
        stream.done = True
    elif line.startswith(b"data: "):
        stream.messages.append(json.loads(line.removeprefix(b"data: ")))
        stream.message_ms.append(at_ms)
