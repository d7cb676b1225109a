"""What is shown while a measurement runs: one line that is written over on a terminal, a line each 30 s elsewhere.

Only in the process that the user started: an xdist worker has no terminal, and its output would be held back anyway.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

import pytest

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_aiperf.measure.runs import Progress

LIVE_EVERY_S: Final = 0.25
SELDOM_EVERY_S: Final = 30.0
_UP: Final = "\033[A"


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


@contextmanager
def progress_of(item: pytest.Item) -> Iterator[Callable[[Progress], None] | None]:
    """Give what to call with reports while `item` measures; None where nothing is to be shown."""
    terminal = item.config.pluginmanager.get_plugin("terminalreporter")
    elsewhere = threading.current_thread() is not threading.main_thread()
    if (
        hasattr(item.config, "workerinput")
        or terminal is None
        or elsewhere
        or item.config.get_verbosity() < -1
    ):
        yield None
        return
    live = terminal.isatty
    screen = _Line(item, terminal) if live else _Lines(item, terminal)
    try:
        yield ProgressReport(item.name, screen, LIVE_EVERY_S if live else SELDOM_EVERY_S, time.monotonic)
    finally:
        screen.clear()


class _Lines:
    """No terminal: lines that stay."""

    def __init__(self, item: pytest.Item, terminal: pytest.TerminalReporter) -> None:
        self._item, self._terminal = item, terminal

    def show(self, text: str) -> None:
        with _uncaptured(self._item):
            self._terminal.ensure_newline()
            self._terminal.write_line(f"aiperf: {text}")
            self._terminal.flush()

    def clear(self) -> None:
        """They stay."""


class _Line:
    """A terminal: one line below what pytest has written, gone when the measurement is over.

    pytest-sugar draws over the line on which it left the cursor; there we go back up to it.
    """

    def __init__(self, item: pytest.Item, terminal: pytest.TerminalReporter) -> None:
        self._item, self._terminal = item, terminal
        self._shown = False
        self._sugar = type(terminal).__module__ == "pytest_sugar"

    def show(self, text: str) -> None:
        with _uncaptured(self._item):
            if not self._shown and self._sugar:
                self._terminal.write("\r\n")
            elif not self._shown:
                self._terminal.ensure_newline()
            width = self._item.config.get_terminal_writer().fullwidth - 1
            self._terminal.write(f"\r{text[:width]:<{width}}", flush=True)
        self._shown = True

    def clear(self) -> None:
        if not self._shown:
            return
        with _uncaptured(self._item):
            width = self._item.config.get_terminal_writer().fullwidth - 1
            self._terminal.write(f"\r{'':<{width}}\r{_UP if self._sugar else ''}", flush=True)
            if (
                self._item.config.get_verbosity() <= 0
            ):  # pytest writes a bare letter next: name the file before it
                self._terminal.write_fspath_result(self._item.nodeid, "")
        self._shown = False


def _uncaptured(item: pytest.Item) -> AbstractContextManager[None]:
    capture = item.config.pluginmanager.get_plugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()
