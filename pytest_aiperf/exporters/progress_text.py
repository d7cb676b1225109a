"""PYTEST_DONT_REWRITE. Where a measurement stands, in one line and not too often. Who shows it is the surface."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pytest_aiperf.measure.runs import Progress

LIVE_EVERY_S: Final = 0.25
"""On a terminal."""
SELDOM_EVERY_S: Final = 30.0
"""Where lines stay."""


class Screen(Protocol):
    """Where it is shown."""

    def show(self, text: str) -> None:
        """Show where the measurement stands."""

    def clear(self) -> None:
        """Take away what was shown, where that can be done."""


class ProgressReport:
    """Turns the reports of a measurement into lines, not too many of them."""

    def __init__(self, title: str, screen: Screen, every_s: float, clock: Callable[[], float]) -> None:
        self._title, self._screen, self._every_s, self._clock = title, screen, every_s, clock
        self._begun_s = self._shown_s = clock()
        self._stage = ("", 0)

    def __call__(self, progress: Progress) -> None:
        """Take note of a report; show it when it is time."""
        now_s = self._clock()
        if (progress.phase, progress.run) != self._stage:
            self._stage, self._begun_s = (progress.phase, progress.run), now_s
        if now_s - self._shown_s >= self._every_s:
            self._shown_s = now_s
            self._screen.show(f"{self._title}  {progress_text(progress, now_s - self._begun_s)}")


def progress_text(progress: Progress, seconds: float) -> str:
    """Return ``run 2 of 3  140/220 requests  38.2/s  3 s left``; `seconds` since the run began."""
    parts = [progress.phase if progress.runs == 1 else f"{progress.phase} {progress.run} of {progress.runs}"]
    parts.append(
        f"{progress.done}/{progress.total} requests" if progress.total else f"{progress.done} requests"
    )
    rate = progress.done / seconds if seconds > 0 else 0.0
    if rate > 0:
        parts.append(f"{rate:.3g}/s")
        if progress.total:
            runs_after = progress.runs - progress.run
            left = progress.total - progress.done + runs_after * progress.total
            parts.append(f"{left / rate:.0f} s left")
    if progress.errors:
        parts.append(f"{progress.errors} failed")
    return "  ".join(parts)
