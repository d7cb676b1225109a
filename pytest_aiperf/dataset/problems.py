"""What is wrong with a data file, gathered until it can be told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_aiperf.common.errors import ConfigurationError

MOST: Final = 20
_SHOWN: Final = 60


class MalformedDataError(ConfigurationError, ValueError):
    """A data file that is not of its shape."""


class UnsupportedDataError(ConfigurationError, NotImplementedError):
    """A data file that is well formed, and asks for what is not built."""


for _shown_error in (MalformedDataError, UnsupportedDataError):
    _shown_error.__module__ = "builtins"  # as the rest of the family, see common/errors.py


class Problems:
    """The problems of one data file, up to 20 of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """Of the file that is looked at: a folder has several."""
        self._texts: list[str] = []
        self._malformed = False
        self._cut = False
        self.rows_lost = False
        """A row could not be read at all: what refers to it is not to blame."""

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def full(self) -> bool:
        """There are as many as will be told: reading on is of no use."""
        return len(self._texts) >= MOST

    def malformed(self, where: str, what: str) -> None:
        """Note what is wrong at a place of the file: ``line 3, turns[0].delay``; empty for the file as a whole."""
        self._malformed = True
        self._add(f"{self.path}{', ' if where else ''}{where}: {what}")

    def unsupported(self, where: str, what: str, *, conversation: str, turn: int) -> None:
        """Note what is not built, by the turn that asks for it."""
        self.fault(where, f"conversation {conversation!r} turn {turn}: {what}", malformed=False)

    def fault(self, where: str, text: str, *, malformed: bool) -> None:
        """Note what a validator says, which begins with the conversation and the turn."""
        self._malformed = self._malformed or malformed
        self._add(f"{text} ({self.path}, {where})")

    def _add(self, text: str) -> None:
        if self.full:
            self._cut = True
        else:
            self._texts.append(text)

    def stop(self) -> None:
        """Note that the rest is not looked at."""
        self._cut = True

    def raise_if_any(self) -> None:
        """Raise what was noted.

        Raises:
            MalformedDataError: something is not of its shape.
            UnsupportedDataError: all that was noted is well formed, and not built.
        """
        if not self._texts:
            return
        texts = self._texts + ([f"… these are the first {MOST}; mend them and look again"] * self._cut)
        raise (MalformedDataError if self._malformed else UnsupportedDataError)("\n".join(texts))


def refusal(path: Path, what: str) -> MalformedDataError:
    """Return the one problem that stands for all: the file cannot be read at all."""
    return MalformedDataError(f"{path}: {what}")


def shown(value: object) -> str:
    """Return a value as messages quote it, cut where it is long."""
    text = (
        repr(value) if not isinstance(value, (list, dict)) else f"{type(value).__name__} {str(value)[:200]}"
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
