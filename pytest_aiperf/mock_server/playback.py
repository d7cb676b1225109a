"""PYTEST_DONT_REWRITE. Playing scripts on connections, each message at its time.

One heap holds the next due time of every running answer. Due times are absolute (start plus offset, on
CLOCK_MONOTONIC): a late send delays no later one. Messages of one answer that are due together go out in one
send. An answer without delays is sent where its request was read and never sees the heap.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final

from pytest_aiperf.mock_server.delays import Delays
from pytest_aiperf.mock_server.mishaps import Mishaps
from pytest_aiperf.mock_server.script import End
from pytest_aiperf.mock_server.send_log import NOT_LOGGED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_aiperf.mock_server.connection import Connection
    from pytest_aiperf.mock_server.options import MockOptions
    from pytest_aiperf.mock_server.script import Script
    from pytest_aiperf.mock_server.send_log import SendLog

NEVER: Final = -1
DISCONNECTED: Final = "disconnected"


class Playback:
    """All running answers. `on_idle` is called for each connection that is free for its next request."""

    def __init__(
        self, log: SendLog, *, on_idle: Callable[[Connection], None], on_gone: Callable[[Connection], None]
    ) -> None:
        self._log = log
        self._on_idle = on_idle
        self._on_gone = on_gone
        self._heap: list[tuple[int, int, Connection]] = []
        self._waiting: deque[Connection] = deque()
        self._tickets = 0
        self._active = 0
        self._delays: Delays
        self._mishaps: Mishaps
        self._capacity = 0

    def set_options(self, options: MockOptions) -> None:
        """Use these options for answers that begin from now on."""
        self._delays = Delays(options)
        self._mishaps = Mishaps(options)
        self._capacity = options.capacity

    def next_due_ns(self) -> int:
        """Return when the next message is due on CLOCK_MONOTONIC, or `NEVER`."""
        return self._heap[0][0] if self._heap else NEVER

    def play(self, conn: Connection, script: Script, *, number: int, row: int, start_ns: int) -> None:
        """Begin an answer, or put it in the queue when the server's capacity is used up."""
        conn.busy = True
        conn.script = script
        conn.number = number
        conn.row = row
        if self._waiting or (self._capacity and self._active >= self._capacity):
            self._waiting.append(conn)
        else:
            self._begin(conn, script, start_ns)

    def feed(self, conn: Connection, pieces: Iterator[bytes]) -> None:
        """Send `pieces` one by one, between the messages of the answers."""
        conn.busy = True
        conn.feed = pieces
        self._push(conn, time.monotonic_ns())

    def admit(self) -> None:
        """Begin answers that wait, as far as there is capacity."""
        while self._waiting and (not self._capacity or self._active < self._capacity):
            conn = self._waiting.popleft()
            if conn.open and conn.script is not None:
                self._begin(conn, conn.script, time.monotonic_ns())
                if not conn.busy:
                    self._on_idle(conn)

    def cancel(self, conn: Connection) -> None:
        """The peer is gone: end its answer."""
        if conn.script is None:
            return
        self._active -= conn.serving
        conn.serving = False
        conn.script = None
        self._close_row(conn, DISCONNECTED)

    def resume(self, conn: Connection) -> None:
        """The peer has read what was kept for it: go on feeding it."""
        if conn.feed is not None:
            self._push(conn, time.monotonic_ns())

    def fire(self) -> None:
        """Send everything that is due now. What becomes due meanwhile waits for the next call."""
        heap = self._heap
        limit = time.monotonic_ns()
        while heap and heap[0][0] <= limit:
            _, ticket, conn = heap[0]
            if conn.ticket != ticket:
                heappop(heap)
                continue
            if conn.feed is not None:
                heappop(heap)
                self._feed_one(conn)
                continue
            at = conn.next_message
            offsets = conn.offsets
            start = conn.start_ns
            count = conn.count
            until = bisect_right(offsets, time.monotonic_ns() - start, at + 1, count)
            if until < count:
                data = conn.messages[at] if until == at + 1 else b"".join(conn.messages[at:until])
                if self._send_tokens(conn, data, at, until):
                    conn.next_message = until
                    heapreplace(heap, (start + offsets[until], ticket, conn))
                    continue
                heappop(heap)
                self._on_gone(conn)
                continue
            heappop(heap)
            self._send_last(conn, b"".join(conn.messages[at:until]), at)
            if conn.open and not conn.busy:
                self._on_idle(conn)

    def _begin(self, conn: Connection, script: Script, start_ns: int) -> None:
        self._active += 1
        conn.serving = True
        messages = script.messages
        count = len(messages)
        if not count:
            if script.head and not conn.write(script.head):
                self._on_gone(conn)
                return
            self._end(conn, script)
            return
        offsets = self._delays.offsets(conn.number, script.lead + count)
        if script.lead:
            offsets = offsets[script.lead :]
        start_ns += self._mishaps.stall_ns(conn.number)
        conn.start_ns = start_ns
        conn.tokens = script.tokens
        conn.base = self._log.base(conn.row) if conn.row >= 0 else 0
        if start_ns + offsets[count - 1] <= time.monotonic_ns():
            self._send_whole(conn, script)
            return
        conn.messages = messages
        conn.offsets = offsets
        conn.count = count
        conn.next_message = 0
        if script.head and not conn.write(script.head):
            self._on_gone(conn)
            return
        self._push(conn, start_ns + offsets[0])

    def _push(self, conn: Connection, due_ns: int) -> None:
        self._tickets += 1
        conn.ticket = self._tickets
        heappush(self._heap, (due_ns, self._tickets, conn))

    def _send_tokens(self, conn: Connection, data: bytes, at: int, until: int) -> bool:
        if conn.row >= 0 and at < conn.tokens:
            self._log.fill(conn.base + at, min(until, conn.tokens) - at, time.time_ns())
        return conn.write(data)

    def _send_last(self, conn: Connection, data: bytes, at: int) -> None:
        script = conn.script
        if script is not None and self._send_tokens(conn, data + script.tail, at, conn.count):
            self._end(conn, script)
        else:
            self._on_gone(conn)

    def _send_whole(self, conn: Connection, script: Script) -> None:
        if self._send_tokens(conn, script.whole, 0, len(script.messages)):
            self._end(conn, script)
        else:
            self._on_gone(conn)

    def _end(self, conn: Connection, script: Script) -> None:
        self._close_row(conn, script.outcome)
        conn.ticket = 0
        if script.end is End.SILENT:
            return  # it counts as active until the client hangs up
        self._active -= 1
        conn.serving = False
        conn.script = None
        if script.end is End.RESET:
            conn.reset()
            self._on_gone(conn)
        elif script.end is End.CLOSE or conn.closes:
            conn.finish()
        else:
            conn.busy = False

    def _close_row(self, conn: Connection, outcome: str) -> None:
        if conn.row >= 0:
            self._log.close(conn.row, outcome)
            conn.row = NOT_LOGGED

    def _feed_one(self, conn: Connection) -> None:
        piece = next(conn.feed, None) if conn.feed is not None else None
        if piece is None:
            conn.feed = None
            conn.ticket = 0
            if conn.closes:
                conn.finish()
            else:
                conn.busy = False
                self._on_idle(conn)
        elif not conn.write(piece):
            self._on_gone(conn)
        elif conn.waits_to_send:
            conn.ticket = 0
        else:
            self._push(conn, time.monotonic_ns())
