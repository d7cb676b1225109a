"""PYTEST_DONT_REWRITE. The mock server: one thread, one loop over non-blocking sockets.

Not asyncio: a transport, a protocol and a task for each stream cost several times what the answer itself costs,
and its timers are as coarse as epoll's. Here a request without delays is one read and one send.
"""

from __future__ import annotations

import errno
import gc
import time
from typing import TYPE_CHECKING, Final

import orjson

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.mock_server.answer_scripts import AnswerScripts
from pytest_aiperf.mock_server.apis import APIS
from pytest_aiperf.mock_server.connection import Connection
from pytest_aiperf.mock_server.http_reply import (
    CONTINUE,
    JSON_STREAM_HEAD,
    LAST_CHUNK,
    chunk,
    closing,
    error_reply,
    json_reply,
)
from pytest_aiperf.mock_server.http_request import BadRequestError, HeadReader
from pytest_aiperf.mock_server.listener import BACKLOG, bind
from pytest_aiperf.mock_server.mishaps import Mishaps
from pytest_aiperf.mock_server.playback import NEVER, Playback
from pytest_aiperf.mock_server.poller import WRITE, make_poller
from pytest_aiperf.mock_server.send_log import NOT_LOGGED, SendLog

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from pytest_aiperf.mock_server.http_request import RequestHead
    from pytest_aiperf.mock_server.options import MockOptions

_MAX_UNREAD_BYTES: Final = 16 * 1024 * 1024
"""What a client may send ahead while its request is being answered."""
_MAX_AGE_NS: Final = 1_000_000_000
"""A kernel stamp further back than this means that the clock was stepped."""


class MockServer:
    """An OpenAI-compatible server on a listening socket, which it owns from now on."""

    def __init__(self, options: MockOptions, sock: socket.socket) -> None:
        self._listener = sock
        self._host, self.port = sock.getsockname()[:2]
        self.log = SendLog()
        self._poller = make_poller()
        self._connections: dict[int, Connection] = {}
        self._heads = HeadReader()
        self._number = 0
        self._playback = Playback(self.log, on_idle=self._go_on, on_gone=self._drop)
        self._listening = True
        self._out_of_files = False
        self._poller.register(sock.fileno())
        self._apply(options, keep=None)

    def run(self, stop_fd: int) -> None:
        """Serve until `stop_fd` is readable or at its end; then close everything."""
        self._poller.register(stop_fd)
        gc.freeze()  # a collection over thousands of connections would hold up their tokens
        gc.disable()
        try:
            while not self._serve_once(stop_fd):
                pass
        finally:
            gc.enable()
            gc.unfreeze()
            for conn in list(self._connections.values()):
                self._drop(conn)
            self._listener.close()
            self._poller.close()

    def _serve_once(self, stop_fd: int) -> bool:
        playback = self._playback
        due_ns = playback.next_due_ns()
        for fd, events in self._poller.wait(-1 if due_ns == NEVER else max(0, due_ns - time.monotonic_ns())):
            conn = self._connections.get(fd)
            if conn is not None:
                self._attend(conn, events)
            elif fd == stop_fd:
                return True
            elif fd == self._listener.fileno():
                self._accept()
            if NEVER != playback.next_due_ns() <= time.monotonic_ns():
                playback.fire()
        playback.fire()
        playback.admit()
        return False

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # that client has gone already
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE):
                    raise
                # Clients wait in the backlog until a connection ends.
                self._poller.unregister(self._listener.fileno())
                self._out_of_files = True
                return
            conn = Connection(sock, self._poller, self._heads)
            self._connections[conn.fd] = conn

    def _attend(self, conn: Connection, events: int) -> None:
        if events & WRITE:
            if not conn.flush():
                self._drop(conn)
                return
            if not conn.waits_to_send:
                self._playback.resume(conn)
            if events == WRITE:
                return
        try:
            data, received_ns = conn.read()
        except BlockingIOError:
            return
        if not data:
            self._drop(conn)
        elif not conn.deaf:
            conn.requests.feed(data)
            if not conn.busy:
                self._take(conn, received_ns)
            elif len(conn.requests) > _MAX_UNREAD_BYTES:
                self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        self._playback.cancel(conn)
        del self._connections[conn.fd]
        conn.close()
        if self._out_of_files and self._listening:
            self._out_of_files = False
            self._poller.register(self._listener.fileno())

    def _go_on(self, conn: Connection) -> None:
        """Take what the client sent while its last request was being answered."""
        if conn.requests:
            self._take(conn, time.time_ns())

    def _take(self, conn: Connection, received_ns: int) -> None:
        """Answer the complete requests in what was read, one at a time."""
        try:
            while conn.requests and not conn.busy and conn.open:
                request = conn.requests.take()
                if request is not None:
                    head, body = request
                    conn.closes = head.closes
                    self._answer(conn, head, body, received_ns)
                elif conn.requests.wants_continue and not conn.write(CONTINUE):
                    self._drop(conn)
                else:
                    return
        except BadRequestError as bad:
            conn.closes = True
            self._reply(conn, error_reply(bad.status, bad.message))

    def _answer(self, conn: Connection, head: RequestHead, body: bytes, received_ns: int) -> None:
        scripts = self._scripts.get(head.path)
        if scripts is not None and head.method == b"POST":
            self._play(conn, head, scripts, body, received_ns)
        elif head.path == b"/v1/models" and head.method == b"GET":
            model = {"id": self._options.model, "object": "model", "created": 0, "owned_by": "pytest-aiperf"}
            self._reply(conn, json_reply(200, {"object": "list", "data": [model]}))
        elif head.path == b"/health" and head.method == b"GET":
            self._reply(conn, json_reply(200, {"status": "ok"}))
        elif head.path == b"/options" and head.method == b"POST":
            self._change_options(conn, body)
        elif head.path == b"/log" and head.method == b"GET":
            self._playback.feed(conn, _chunks(self.log.pieces()))
        elif head.path == b"/log" and head.method == b"DELETE":
            self._clear_log()
            self._reply(conn, json_reply(200, {"status": "ok"}))
        else:
            where = f"{head.method.decode('latin-1')} {head.path.decode('latin-1')}"
            self._reply(conn, error_reply(404, f"Unknown request URL: {where}.", code="unknown_url"))

    def _play(
        self, conn: Connection, head: RequestHead, scripts: AnswerScripts, body: bytes, received_ns: int
    ) -> None:
        number = self._number
        self._number = number + 1
        script = scripts.script(body, self._mishaps.fault(number))
        if conn.closes:
            script = script.closing()
        row = self.log.open(head.request_id, received_ns, script.tokens)
        # The schedule counts from the kernel's receipt, so that a busy loop does not add to it.
        age_ns = min(max(0, time.time_ns() - received_ns), _MAX_AGE_NS)
        self._playback.play(conn, script, number=number, row=row, start_ns=time.monotonic_ns() - age_ns)

    def _clear_log(self) -> None:
        self.log.clear()
        for conn in self._connections.values():
            conn.row = NOT_LOGGED

    def _reply(self, conn: Connection, reply: bytes) -> None:
        if not conn.write(closing(reply) if conn.closes else reply):
            self._drop(conn)
        elif conn.closes:
            conn.finish()

    def _change_options(self, conn: Connection, body: bytes) -> None:
        try:
            changes = orjson.loads(body)
            if not isinstance(changes, dict):
                raise ConfigurationError("mock server: POST /options takes a JSON object of changed options")
            options = self._options.changed(changes)
        except (orjson.JSONDecodeError, ConfigurationError) as error:
            self._reply(conn, error_reply(400, str(error)))
            return
        self._apply(options, keep=conn)
        self._reply(conn, json_reply(200, options.to_dict()))

    def _apply(self, options: MockOptions, *, keep: Connection | None) -> None:
        self._options = options
        self._scripts = {api.path: AnswerScripts(options, api) for api in APIS}
        self._mishaps = Mishaps(options)
        self._playback.set_options(options)
        if options.fault == "refused" and self._listening:
            self._refuse(keep)
        elif options.fault != "refused" and not self._listening:
            self._listener.listen(BACKLOG)
            self._poller.register(self._listener.fileno())
            self._listening = True

    def _refuse(self, keep: Connection | None) -> None:
        """Look like a server that is down, save for the connection that can bring it back."""
        self._poller.unregister(self._listener.fileno())
        self._listener.close()
        for conn in [c for c in self._connections.values() if c is not keep]:
            self._drop(conn)
        self._listener = bind(self._host, self.port)  # holds the port, so that nobody else gets it meanwhile
        self._listening = False


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield JSON_STREAM_HEAD
    for piece in pieces:
        yield chunk(piece)
    yield LAST_CHUNK
