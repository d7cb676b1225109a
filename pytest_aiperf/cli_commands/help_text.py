"""The help of a command with a hundred options: a flag and its other names in one line, what it does below them.

A table with the names in a column of their own, as usual, leaves a third of 80 columns to names of forty letters.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

_WIDEST: Final = 100
_INDENT: Final = 8


class HelpText:
    """Writes one group of options after the other."""

    def __init__(self, metavars: Mapping[str, str]) -> None:
        """`metavars` are the words for values, by flag: ``{"--isl": "TOKENS"}``."""
        self._metavars = metavars

    def __call__(self, console: Console, options: ConsoleOptions, panel: Any) -> None:
        """Write a group; `panel` is what cyclopts has gathered for it."""
        entries = [entry for entry in panel.entries if _names(entry)]
        if not entries:
            return
        width = min(console.width, _WIDEST)
        lines = [line for entry in entries for line in self._lines(entry, width)]
        console.print(f"\n{panel.title}\n", *lines, sep="\n", markup=False, highlight=False, soft_wrap=True)

    def _lines(self, entry: Any, width: int) -> Iterable[str]:
        names = _names(entry)
        metavar = next((self._metavars[name] for name in names if name in self._metavars), None)
        joined = f"{', '.join(names)}{f' {metavar}' if metavar else ''}"
        yield from _wrapped(joined, width, indent=2, further=_INDENT)
        yield from _wrapped(_plain(entry.description), width)


def _names(entry: Any) -> tuple[str, ...]:
    """Long names first: one reads them; with a flag that takes no value also how to turn it off."""
    return (*entry.names, *entry.shorts)


def _plain(description: Any) -> str:
    """Take the text out of what it is wrapped in to be shown."""
    text = getattr(description, "primary_renderable", description)
    return str(getattr(text, "plain", text or ""))


def _wrapped(text: str, width: int, *, indent: int = _INDENT, further: int = _INDENT) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * further,
        break_long_words=False,
        break_on_hyphens=False,
    )
