"""PYTEST_DONT_REWRITE. The event loop that a load runs on, and how late it is."""

from __future__ import annotations

import asyncio
import gc
import sys
from array import array
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from time import monotonic_ns
from typing import Any, Final, TypeVar

import numpy as np

T = TypeVar("T")
_PERIOD_NS: Final = 10_000_000


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, on a loop of its own."""
    with new_runner() as runner:
        return runner.run(main)


def new_runner() -> asyncio.Runner:
    """Return what runs coroutines on uvloop, or on asyncio's own loop where uvloop is not installed."""
    return asyncio.Runner(loop_factory=_loop_factory())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


class LagSampler:
    """Asks to be called every 10 ms and notes how late that was; a loop that is kept busy is late."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lags_ns = array("q")
        self._next()

    def _next(self) -> None:
        self._due_ns = monotonic_ns() + _PERIOD_NS
        self._timer = self._loop.call_later(_PERIOD_NS / 1e9, self._sample)

    def _sample(self) -> None:
        self._lags_ns.append(max(monotonic_ns() - self._due_ns, 0))
        self._next()

    def stop(self) -> int:
        """Stop sampling; returns the p99 of the lags in ns, of a run under 10 ms that of the one unfinished wait."""
        self._timer.cancel()
        lags = self._lags_ns or [max(monotonic_ns() - self._due_ns, 0)]
        return int(np.percentile(lags, 99))


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector out of what runs inside: a full collection stops the loop for tens of milliseconds."""
    was_on = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


@contextmanager
def errors_caught(loop: asyncio.AbstractEventLoop, into: asyncio.Future[Any]) -> Iterator[None]:
    """Hand an exception of any callback of the loop to a future, so that nobody waits for what will never come."""
    previous = loop.get_exception_handler()

    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and "handle" in context and not into.done():
            into.set_exception(error)
        elif previous is not None:
            previous(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handler)
    try:
        yield
    finally:
        loop.set_exception_handler(previous)
