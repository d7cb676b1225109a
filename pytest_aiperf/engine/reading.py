"""PYTEST_DONT_REWRITE. Answers that are complete wait here to be read, so that sending and receiving come first.

They are read a few at a time, each few in a turn of the loop of its own. When 512 streams end together, reading all of
their answers at once takes longer than the gap between two tokens; what comes meanwhile is merged in the socket under
the stamp of its last segment, and a first token gets that of the second. The more are waiting, the more are read in one
turn: where answers come faster than so few at a time, those that wait would fill the memory, and what has left the
processor's cache takes longer to read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from pytest_aiperf.engine.transport import Exchange

_A_FEW: Final = 64
_SHARE: Final = 8
"""Of those that wait, one in so many is read beyond a few."""


class Reading:
    """Hands every exchange to `record`, later and in order; `afterwards` is called after every few."""

    __slots__ = ("_afterwards", "_loop", "_record", "_waiting")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        record: Callable[[Exchange], object],
        afterwards: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._record = record
        self._afterwards = afterwards
        self._waiting: deque[Exchange] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, exchange: Exchange) -> None:
        """Read this answer when nothing else is to be done."""
        if not self._waiting:
            self._loop.call_soon(self._read)
        self._waiting.append(exchange)

    def _read(self) -> None:
        waiting = self._waiting
        for _ in range(min(_A_FEW + len(waiting) // _SHARE, len(waiting))):
            self._record(waiting.popleft())
        if waiting:
            self._loop.call_soon(self._read)
        self._afterwards()
