"""PYTEST_DONT_REWRITE. Waiting for sockets with a timeout finer than a millisecond.

epoll_wait counts whole milliseconds and rounds up: every token would be late by half of one on average. An
epoll descriptor can itself be selected on, and select(2) counts microseconds, with a slack of 0.1 % of the wait;
the price is one more system call for each wait, and none when the wait is zero. epoll_pwait2 and timerfd would
need ctypes before Python 3.13. Where there is no epoll, `selectors` does the same through kqueue.
"""

from __future__ import annotations

import select
import selectors
import sys
from typing import Final, Protocol

READ: Final = 1
WRITE: Final = 4
"""READ and WRITE are epoll's own bits. Errors and hang-ups come with neither: read to learn of them."""


class Poller(Protocol):
    """Level-triggered readiness of file descriptors."""

    def register(self, fd: int) -> None:
        """Report when `fd` is readable."""

    def modify(self, fd: int, events: int) -> None:
        """Report the `events` of a registered `fd` instead."""

    def unregister(self, fd: int) -> None:
        """Forget `fd`; call it before `fd` is closed."""

    def wait(self, timeout_ns: int) -> list[tuple[int, int]]:
        """Return (fd, events) pairs; wait for the first one up to `timeout_ns`, without limit if negative."""

    def close(self) -> None:
        """Give the descriptor back."""


class SelectorPoller:
    """For systems without epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int) -> None:
        self._selector.register(fd, selectors.EVENT_READ)

    def modify(self, fd: int, events: int) -> None:
        write = selectors.EVENT_WRITE if events & WRITE else 0
        self._selector.modify(fd, selectors.EVENT_READ | write)

    def unregister(self, fd: int) -> None:
        self._selector.unregister(fd)

    def wait(self, timeout_ns: int) -> list[tuple[int, int]]:
        ready = self._selector.select(None if timeout_ns < 0 else timeout_ns / 1e9)
        return [
            (
                key.fd,
                (READ if events & selectors.EVENT_READ else 0)
                | (WRITE if events & selectors.EVENT_WRITE else 0),
            )
            for key, events in ready
        ]

    def close(self) -> None:
        self._selector.close()


if sys.platform == "linux":

    class EpollPoller:
        """For Linux."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._watched = [self._epoll.fileno()]

        def register(self, fd: int) -> None:
            self._epoll.register(fd, READ)

        def modify(self, fd: int, events: int) -> None:
            self._epoll.modify(fd, events)

        def unregister(self, fd: int) -> None:
            self._epoll.unregister(fd)

        def wait(self, timeout_ns: int) -> list[tuple[int, int]]:
            if timeout_ns < 0:
                return self._epoll.poll()
            if timeout_ns > 0:
                select.select(self._watched, (), (), timeout_ns / 1e9)
            return self._epoll.poll(0)

        def close(self) -> None:
            self._epoll.close()


def make_poller() -> Poller:
    """Return the best that this system has."""
    return EpollPoller() if sys.platform == "linux" else SelectorPoller()
