"""What is shown while a measurement runs: one line that is written over on a terminal, a line each 30 s elsewhere.

Only in the process that the user started: an xdist worker has no terminal, and its output would be held back anyway.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

import pytest

from pytest_aiperf.exporters.progress_text import LIVE_EVERY_S, SELDOM_EVERY_S, ProgressReport

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_aiperf.measure.runs import Progress

_UP: Final = "\033[A"


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
