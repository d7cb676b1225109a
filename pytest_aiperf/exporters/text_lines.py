"""Text for people: cells in columns, sentences wrapped at 80 columns, nothing that a terminal would obey."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_aiperf.common.printable import printable

WIDTH: Final = 80


def plain(text: object) -> str:
    """Return text without what could move the cursor or colour the screen: files come from branches of strangers."""
    return printable(str(text))


def one_line(text: object) -> str:
    """Return text in one line that breaks no table: what was several lines is joined by blanks."""
    return plain(" ".join(str(text).split()))


def count(n: int, what: str) -> str:
    """Return ``1 session``, ``2 sessions``."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows of equally many cells as columns, indented by two."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()


def wrapped(first: str, text: str, *, indent: int | None = None) -> Iterator[str]:
    """Wrapped at 80 columns, without breaking words, or a number from its percent sign."""
    lines = textwrap.wrap(
        plain(text).replace(" %", "\N{NO-BREAK SPACE}%"),
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * (len(first) if indent is None else indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (line.replace("\N{NO-BREAK SPACE}", " ") for line in lines or [first.rstrip()])
