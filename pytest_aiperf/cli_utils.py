"""How a command ends: its exit status, and a panel on stderr that says why."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """Exit statuses of `judge`, `calibrate` and `profile`."""

    PASS = 0
    REGRESSED = 1
    USAGE = 2
    """Usage or configuration, files that do not fit together."""
    INVALID = 3
    """An invalid measurement, or a failing endpoint."""
    INCONCLUSIVE = 4
    """Only where the user asked for it."""


_EXIT_CODES: Final[Mapping[str, ExitCode]] = {
    "pass": ExitCode.PASS,
    "measured": ExitCode.PASS,
    "regressed": ExitCode.REGRESSED,
    "no_baseline": ExitCode.USAGE,
    "not_comparable": ExitCode.USAGE,
    "invalid": ExitCode.INVALID,
}


def exit_code_of(verdict: str, *, fail_on_inconclusive: bool = False) -> ExitCode:
    """Return the exit status that a verdict ends a command with.

    Raises:
        KeyError: there is no such verdict.
    """
    if verdict == "inconclusive":
        return ExitCode.INCONCLUSIVE if fail_on_inconclusive else ExitCode.PASS
    return _EXIT_CODES[verdict]


def show(text: str) -> None:
    """Print to stdout; what its encoding does not have becomes a question mark, not an error."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


@contextmanager
def exit_on_error(
    *exceptions: type[BaseException],
    title: str,
    message: str = "{e}",
    show_traceback: bool = True,
    quiet_for: tuple[type[BaseException], ...] = (),
    exit_code: int = 1,
) -> Iterator[None]:
    """Turn exceptions into a panel on stderr and an exit status.

    Args:
        exceptions: what is caught; with none named, every `Exception`. Neither `SystemExit` nor `KeyboardInterrupt` is
            one, nor is the cancellation of a task: those end the command in their own way.
        title: of the panel.
        message: its text; ``{e}`` is the exception's own.
        show_traceback: print the traceback too.
        quiet_for: exceptions that are never worth a traceback.
        exit_code: the exit status.

    Raises:
        SystemExit: in place of an exception that was caught.
    """
    caught = exceptions or (Exception,)
    try:
        yield
    except caught as error:
        if show_traceback and not isinstance(error, quiet_for):
            sys.excepthook(type(error), error, error.__traceback__)
        _print_panel(title, message.replace("{e}", str(error) or repr(error)))
        raise SystemExit(int(exit_code)) from None


@contextmanager
def terminated_as_interrupted(last_words: str = "nothing was written") -> Iterator[None]:
    """Whoever ends us politely gets what Ctrl-C gets: everything that was started is ended first."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted: {last_words}", file=sys.stderr)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_panel(title: str, text: str) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    from pytest_aiperf.exporters.text_lines import plain

    # A `Text` is shown as it is: a message may hold what looks like markup, or, from a server, what moves the cursor.
    shown = "\n".join(map(plain, text.split("\n")))
    Console(stderr=True).print(Panel(Text(shown), title=Text(title), title_align="left", border_style="red"))
