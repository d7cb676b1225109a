"""Where a measurement stands, on stderr: a live line on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_aiperf.exporters.progress_text import LIVE_EVERY_S, SELDOM_EVERY_S, ProgressReport

if TYPE_CHECKING:
    from rich.live import Live

    from pytest_aiperf.measure.runs import Progress


@contextmanager
def progress_on_stderr(title: str) -> Iterator[Callable[[Progress], None]]:
    """Give what to call with reports; what is shown on a terminal is gone afterwards."""
    if not sys.stderr.isatty():
        yield ProgressReport(title, _Lines(), SELDOM_EVERY_S, time.monotonic)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        yield ProgressReport(title, _LiveLine(live), LIVE_EVERY_S, time.monotonic)


class _Lines:
    """No terminal: lines that stay."""

    def show(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """They stay."""


class _LiveLine:
    """A terminal: one line, written over."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, text: str) -> None:
        from rich.text import Text

        self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)

    def clear(self) -> None:
        """The line goes with what shows it."""
