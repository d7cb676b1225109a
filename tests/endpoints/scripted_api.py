"""A server that keeps each request byte for byte and plays given answers, and loads that are sent to it.

`exchange` is the short way: one request of an endpoint type out, one answer back. For more requests, or none of an
endpoint's own making, `ScriptedApi` and `send`.
"""

from __future__ import annotations

import asyncio
import json
import socketserver
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from pytest_aiperf.common.records import RecordBatch
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, ModelEndpointInfo, RequestInfo
from pytest_aiperf.engine import LoadPlan, run_load
from pytest_aiperf.plugin.plugins import get_class

DEADLINE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request, as it came."""

    line: str
    """``POST /v1/… HTTP/1.1``."""
    headers: Mapping[str, str]
    """Names as they were sent."""
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer; several pieces are sent as chunks of their own."""

    pieces: Sequence[bytes]
    content_type: str = "application/json"
    status: str = "200 OK"
    headers: Mapping[str, str] = field(default_factory=dict)

    def wire(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status}", f"content-type: {self.content_type}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if len(self.pieces) == 1:
            lines.append(f"content-length: {len(self.pieces[0])}")
            body = self.pieces[0]
        else:
            lines.append("transfer-encoding: chunked")
            body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in self.pieces) + b"0\r\n\r\n"
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def json_answer(value: Any, status: str = "200 OK") -> Answer:
    return Answer(pieces=[json.dumps(value).encode()], status=status)


def text_answer(text: str, content_type: str = "text/plain; charset=utf-8") -> Answer:
    return Answer(pieces=[text.encode()], content_type=content_type)


def sse_answer(messages: Sequence[Any], *, done: bool = False, events: bool = False) -> Answer:
    """A stream of these messages: strings as they are, all else as JSON.

    `done` puts ``[DONE]`` at the end; `events` names each message's ``type`` in an ``event:`` line.
    """
    pieces = []
    for message in [*messages, *(["[DONE]"] if done else [])]:
        data = message if isinstance(message, str) else json.dumps(message)
        event = f"event: {message['type']}\n" if events else ""
        pieces.append(f"{event}data: {data}\n\n".encode())
    return Answer(pieces=pieces, content_type="text/event-stream")


class ScriptedApi:
    """Answers every request with one answer, or with what a function of the request returns."""

    def __init__(self, answer: Answer | Callable[[Received], Answer]) -> None:
        self.requests: list[Received] = []
        answer_of = answer if callable(answer) else lambda _: answer
        requests = self.requests

        class Handler(socketserver.StreamRequestHandler):
            timeout = DEADLINE_S

            def handle(self) -> None:
                while (received := _read(self.rfile)) is not None:
                    requests.append(received)
                    self.wfile.write(answer_of(received).wire())

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        """Without a path."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(DEADLINE_S)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client hung up: what the test then sees of it is its own matter."""


def _read(rfile: Any) -> Received | None:
    line = rfile.readline()
    if not line:
        return None
    headers: dict[str, str] = {}
    while (header := rfile.readline().rstrip(b"\r\n")) != b"":
        name, _, value = header.decode("latin-1").partition(": ")
        headers[name] = value
    body = rfile.read(int(headers.get("content-length", "0")))
    return Received(line=line.decode("latin-1").rstrip("\r\n"), headers=headers, body=body)


def endpoint_of(
    endpoint_type: str, *, streaming: bool = False, extra: Mapping[str, Any] | None = None
) -> BaseEndpoint:
    """Return a registered endpoint as a measurement makes it."""
    told = ModelEndpointInfo(model="m", streaming=streaming, extra=extra or {})
    endpoint: BaseEndpoint = get_class("endpoint", endpoint_type)(told)
    return endpoint


def send(
    api: ScriptedApi,
    endpoint_type: str,
    bodies: Sequence[bytes],
    *,
    streaming: bool = False,
    extra: Mapping[str, Any] | None = None,
    path: str | None = None,
    **plan: Any,
) -> RecordBatch:
    """Send these bodies to this path, else the endpoint type's, one after the other; return what came of it."""
    endpoint = get_class("endpoint", endpoint_type)
    if path is None:
        path = endpoint.stream_path if streaming and endpoint.stream_path else endpoint.path
    load = LoadPlan(
        url=plan.pop("url", api.url + path),
        bodies=bodies,
        endpoint_type=endpoint_type,
        endpoint_extra=extra or {},
        streaming=streaming,
        concurrency=1,
        **plan,
    )
    return asyncio.run(asyncio.wait_for(run_load(load), DEADLINE_S))


class Exchanged(NamedTuple):
    request: Received
    records: RecordBatch


def exchange(
    endpoint_type: str, request: RequestInfo, answer: Answer | Callable[[Received], Answer], **plan: Any
) -> Exchanged:
    """Format this request, send it, and return the first request that came with the records of the load."""
    endpoint = endpoint_of(endpoint_type, streaming=request.streaming, extra=request.extra)
    body = endpoint.encode(endpoint.format_payload(request))
    with ScriptedApi(answer) as api:
        records = send(api, endpoint_type, [body], streaming=request.streaming, extra=request.extra, **plan)
    return Exchanged(api.requests[0], records)
