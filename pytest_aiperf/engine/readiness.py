"""PYTEST_DONT_REWRITE. Which sockets can be read: an epoll of our own, which the event loop watches as one file.

`loop.add_reader` for each socket is not enough on uvloop: libuv stops watching a descriptor after the first event that
tells of an error, so what lies behind a reset (rest of an answer, then the reset itself) would never be read. Here
readiness is the kernel's, level-triggered, and the same on every loop; handing on an event costs a dictionary look-up.
Where there is no epoll the loop's own readers are used.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable
from typing import Protocol


class Readiness(Protocol):
    """Calls back whenever a descriptor can be read."""

    def watch(self, fd: int, callback: Callable[[], None]) -> None: ...

    def forget(self, fd: int) -> None:
        """Watch it no longer; to be called before the descriptor is closed."""

    def close(self) -> None: ...


def new_readiness(loop: asyncio.AbstractEventLoop) -> Readiness:
    """Return what this platform has."""
    return _Epoll(loop) if sys.platform == "linux" else _LoopReaders(loop)


if sys.platform == "linux":

    class _Epoll:
        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            self._loop = loop
            self._epoll = select.epoll()
            self._callbacks: dict[int, Callable[[], None]] = {}
            loop.add_reader(self._epoll.fileno(), self._dispatch)

        def watch(self, fd: int, callback: Callable[[], None]) -> None:
            self._callbacks[fd] = callback
            self._epoll.register(fd, select.EPOLLIN)

        def forget(self, fd: int) -> None:
            if self._callbacks.pop(fd, None) is not None:
                self._epoll.unregister(fd)

        def close(self) -> None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

        def _dispatch(self) -> None:
            callbacks = self._callbacks
            for fd, _ in self._epoll.poll(0):
                if fd in callbacks:  # else an earlier one of these events closed it
                    callbacks[fd]()


class _LoopReaders:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        self._loop.add_reader(fd, callback)

    def forget(self, fd: int) -> None:
        self._loop.remove_reader(fd)

    def close(self) -> None:
        """There is nothing of its own to close."""
