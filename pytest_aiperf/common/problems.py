"""What is wrong in a file that somebody wrote: where it stands, in which key, and all of it at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Keys = tuple[str, ...]
MOST_PROBLEMS: Final = 20
"""Told at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong in a file."""

    file: str
    line: int | None = None
    keys: Keys = ()
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(filter(None, [where, ".".join(self.keys), self.message]))


def together(problems: Iterable[Problem]) -> str:
    """Return the text of one error for all of them: the first 20, and how many more there are."""
    lines = [str(problem) for problem in problems]
    more = [f"and {len(lines) - MOST_PROBLEMS} more"] if len(lines) > MOST_PROBLEMS else []
    return "\n  ".join([*lines[:MOST_PROBLEMS], *more])
