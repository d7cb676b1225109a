"""PYTEST_DONT_REWRITE. Whole HTTP replies as bytes, and OpenAI's error object."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import orjson

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
JSON_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK: Final = b"0\r\n\r\n"

_ERROR_TYPES: Final = {
    401: "authentication_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def reply_head(status: int, length: int, *, content_type: str = "application/json", extra: str = "") -> bytes:
    """Return a reply's head; `extra` holds further lines, each with its CRLF."""
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\n{extra}\r\n"
    ).encode("latin-1")


def json_reply(status: int, value: object, *, extra: str = "") -> bytes:
    """Return a reply with a JSON body."""
    body = orjson.dumps(value)
    return reply_head(status, len(body), extra=extra) + body


def error_reply(status: int, message: str, *, code: str | None = None, extra: str = "") -> bytes:
    """Return a reply with OpenAI's error object."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error")
    return json_reply(status, {"error": {"message": message, "type": kind, "code": code}}, extra=extra)


def closing(reply: bytes) -> bytes:
    """Return the reply with a head that announces the end of the connection."""
    return reply.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
