"""PYTEST_DONT_REWRITE. A measurement beside an event loop: in a thread, and over when the task that waits is cancelled.

To cut the present run short is not enough: between two runs there is none, and after it the next one would begin. The
reports of the runs are where a measurement can be ended at any time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pytest_aiperf.common.errors import ConfigurationError, MeasurementError

if TYPE_CHECKING:
    from pytest_aiperf.measure.runs import Progress

T = TypeVar("T")
OnProgress = Callable[["Progress"], None]


def require_asyncio() -> None:
    """Raise a ConfigurationError where the coroutine that calls it does not run on asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "aiperf.arun needs asyncio, and this test runs on another loop, trio perhaps: call aiperf.run(...), "
            "which blocks the loop while it measures, or run the test on asyncio"
        ) from None


async def in_a_thread(work: Callable[[threading.Event], T], *, abort: Callable[[], None]) -> T:
    """Return what `work` returns. A cancelled task sets its event, calls `abort`, and waits until it has ended.

    To wait is what keeps the load away from whatever the test does next.
    """
    cancelled = threading.Event()
    working = asyncio.ensure_future(asyncio.to_thread(work, cancelled))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        cancelled.set()
        abort()
        await asyncio.wait([working])
        if not working.cancelled():
            working.exception()  # nobody asks for it any more
        raise


def until(cancelled: threading.Event, on_progress: OnProgress | None) -> OnProgress:
    """Return what passes reports on to `on_progress`, and ends the measurement once it was cancelled."""

    def report(progress: Progress) -> None:
        if cancelled.is_set():
            raise MeasurementError("the task that waited for this measurement was cancelled")
        if on_progress is not None:
            on_progress(progress)

    return report
