"""PYTEST_DONT_REWRITE. The run clock is CLOCK_REALTIME, because that is what the kernel stamps received data with.

Its offset to CLOCK_MONOTONIC tells afterwards whether somebody stepped it while the run went on.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What time it is; `time.time_ns`, except in tests."""

    def __call__(self) -> int:
        """Return CLOCK_REALTIME in ns."""


def realtime_offset_ns() -> int:
    """Return CLOCK_REALTIME minus CLOCK_MONOTONIC, from the tightest of a few readings."""
    return min((_bracketed() for _ in range(5)), key=lambda reading: reading[0])[1]


def _bracketed() -> tuple[int, int]:
    before = time.monotonic_ns()
    realtime = time.time_ns()
    after = time.monotonic_ns()
    return after - before, realtime - (before + after) // 2
