"""PYTEST_DONT_REWRITE. The ground truth: when each request was complete and when each of its tokens was sent.

All stamps are CLOCK_REALTIME ns. Receipt is the kernel's stamp of the read that completed the request (the
user-space clock where the kernel gives none); a send is stamped right before its system call, because over
loopback the peer's kernel stamps the data inside that call. One flat array holds all stamps: a request reserves
its places when it arrives, so that interleaved streams write without searching.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_STAMPS: Final = 2_000_000
RUNNING: Final = "running"
NOT_LOGGED: Final = -1
_ROWS_PER_PIECE: Final = 16


class SendLog:
    """Requests in order of arrival. Once `MAX_STAMPS` are reserved, further requests are only counted."""

    def __init__(self, max_stamps: int = MAX_STAMPS) -> None:
        self._max_stamps = max_stamps
        self._stamps = array("q")
        self._ids: list[str] = []
        self._received = array("q")
        self._bases = array("q")
        self._outcomes: list[str] = []
        self._clears = 0
        self.dropped = 0
        """Requests that came when the log was full."""

    def clear(self) -> None:
        """Forget everything. Row numbers given before mean nothing any more."""
        for column in (self._stamps, self._ids, self._received, self._bases, self._outcomes):
            del column[:]
        self._clears += 1
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._ids)

    def open(self, request_id: str, received_ns: int, count: int) -> int:
        """Start a row with places for `count` stamps; return its number, or `NOT_LOGGED` if the log is full."""
        base = len(self._stamps)
        if base + len(self._ids) + count >= self._max_stamps:
            self.dropped += 1
            return NOT_LOGGED
        self._stamps.frombytes(bytes(8 * count))
        self._ids.append(request_id)
        self._received.append(received_ns)
        self._bases.append(base)
        self._outcomes.append(RUNNING)
        return len(self._ids) - 1

    def base(self, row: int) -> int:
        """Return the place of a row's first stamp, for `fill`."""
        return self._bases[row]

    def fill(self, first: int, count: int, stamp_ns: int) -> None:
        """Stamp `count` tokens that leave in one send."""
        if count == 1:
            self._stamps[first] = stamp_ns
        else:
            self._stamps[first : first + count] = array("q", (stamp_ns,)) * count

    def close(self, row: int, outcome: str) -> None:
        """Say what became of the request."""
        self._outcomes[row] = outcome

    def pieces(self) -> Iterator[bytes]:
        """Yield the log as JSON, a few requests at a time, so that tokens can be sent in between."""
        head = {"clock": "realtime_ns", "sent": "before_send", "dropped": self.dropped}
        yield orjson.dumps(head)[:-1] + b',"requests":['
        clears, total = self._clears, len(self)
        for first in range(0, total, _ROWS_PER_PIECE):
            if clears != self._clears:
                break
            rows = [self._row(i) for i in range(first, min(first + _ROWS_PER_PIECE, total))]
            yield (b"," if first else b"") + orjson.dumps(rows)[1:-1]
        yield b"]}"

    def _row(self, i: int) -> dict[str, object]:
        end = self._bases[i + 1] if i + 1 < len(self._bases) else len(self._stamps)
        return {
            "id": self._ids[i],
            "t_recv_ns": self._received[i],
            "outcome": self._outcomes[i],
            "sent_ns": [stamp for stamp in self._stamps[self._bases[i] : end] if stamp],
        }
