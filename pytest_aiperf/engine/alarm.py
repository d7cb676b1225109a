"""PYTEST_DONT_REWRITE. Calls back at a moment of the run clock, exactly.

An event loop's own timers are not good enough for an open loop: uvloop counts in whole milliseconds, and epoll_wait,
on which asyncio's loop sleeps, does too. On Linux the kernel has a timer that is a file (timerfd): it is set to the
very stamp, and the loop watches it like a socket. Setting one costs about a microsecond. Elsewhere the loop's timers
have to do.

It is not read when it has rung: to set it again, or to clear it, makes it unreadable too.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Final, Protocol

_BILLION: Final = 1_000_000_000


class Alarm(Protocol):
    """Rings once for each time that it is set; setting it again replaces what it was set to."""

    def set(self, at_ns: int | None) -> None:
        """Ring at this CLOCK_REALTIME ns, at once if that has passed; None: do not ring."""

    def close(self) -> None:
        """Ring no more."""


def new_alarm(loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> Alarm:
    """Return the most exact alarm that this platform has; it calls `ring` from the loop."""
    return TimerFile(loop, ring) if sys.platform == "linux" else LoopAlarm(loop, ring)


class LoopAlarm:
    """By the loop's own timers, late by up to a few milliseconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._at_ns: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at_ns: int | None) -> None:
        if at_ns == self._at_ns:
            return
        self.close()
        self._at_ns = at_ns
        if at_ns is not None:
            self._timer = self._loop.call_later(max(at_ns - time.time_ns(), 0) / _BILLION, self._rung)

    def _rung(self) -> None:
        self._at_ns = None
        self._ring()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


if sys.platform == "linux":
    if sys.version_info >= (3, 13):

        def _create() -> int:
            return os.timerfd_create(time.CLOCK_REALTIME, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)

        def _set(fd: int, at_ns: int) -> None:
            os.timerfd_settime_ns(fd, flags=os.TFD_TIMER_ABSTIME, initial=at_ns)

    else:
        import ctypes

        _libc: Final = ctypes.CDLL(None, use_errno=True)
        _ABSTIME: Final = 1
        _FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC

        class _Spec(ctypes.Structure):
            """struct itimerspec: interval and first expiry, in seconds and ns each."""

            _fields_ = (
                ("interval_s", ctypes.c_long),
                ("interval_ns", ctypes.c_long),
                ("first_s", ctypes.c_long),
                ("first_ns", ctypes.c_long),
            )

        def _create() -> int:
            fd: int = _libc.timerfd_create(time.CLOCK_REALTIME, _FLAGS)
            if fd < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            return fd

        def _set(fd: int, at_ns: int) -> None:
            seconds, nanoseconds = divmod(at_ns, _BILLION)
            spec = _Spec(first_s=seconds, first_ns=nanoseconds)
            if _libc.timerfd_settime(fd, _ABSTIME, ctypes.byref(spec), None):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    class TimerFile:
        """By a timerfd, late by what the loop is busy with and some tens of microseconds."""

        def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
            self._loop = loop
            self._ring = ring
            self._at_ns: int | None = None
            self._fd = _create()
            loop.add_reader(self._fd, self._rung)

        def set(self, at_ns: int | None) -> None:
            if at_ns != self._at_ns:
                self._at_ns = at_ns
                _set(self._fd, at_ns or 0)

        def _rung(self) -> None:
            self.set(None)
            self._ring()

        def close(self) -> None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
