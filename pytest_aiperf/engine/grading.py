"""PYTEST_DONT_REWRITE. Is an answer the expected one? Read once it is complete, where nothing is measured any more."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final

from pytest_aiperf.common.conversation import Expected, Grader
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.expected_answers import compiled

MOST_LETTERS: Final = 100_000
"""Of an answer so many are looked at, the last ones: an answer ends with what it comes to."""
SEARCH_LIMIT_S: Final = 1.0
"""CPU time of the process that one search may take; a plain one takes microseconds."""

_ALONE: Final = re.compile(r"[^A-Za-z0-9]*([A-Za-z])[^A-Za-z0-9]*")
_STATED: Final = re.compile(
    r"(?i:\b(?:answer|choice|option)\b)"
    r"(?i:[ \t*_:\"'=-]{0,8}(?:\b(?:is|was|would be|should be|must be)\b)?)"
    r"(?i:[ \t*_:\"'=-]{0,8}\b(?:option|choice)\b)?"
    r"[\s*_:\"'=({\[\\]{0,12}(?:(?:boxed|text|mathbf)[{ ]{1,2}){0,2}([A-Za-z])(?![A-Za-z0-9'’])"
    r"(?![ \t]+[a-z])"
)
_BOXED: Final = re.compile(r"\\boxed\{[\s{\\a-z]{0,16}([A-Z])[\s}]{0,4}\}")
_OPENING: Final = re.compile(r"[^A-Za-z0-9]{0,16}([A-Z])(?:[).:,;\]*]|\s*\n|\s+[-–—])")
_BRACKETED: Final = re.compile(r"[(\[]([A-Z])[)\]]")
_STANDING_ALONE: Final = re.compile(r"(?<![A-Za-z0-9'’])(?<!not )([A-HJ-Z])(?![A-Za-z0-9'’])(?! [a-z])")


def is_right(text: str, expected: Expected) -> bool:
    """Return whether this answer is the expected one.

    Raises:
        ConfigurationError: a regular expression takes too long.
    """
    return _GRADERS[expected.grader](text[-MOST_LETTERS:], expected.answer)


def choice_of(text: str) -> str | None:
    """Return the letter that an answer settles on, in upper case; None if it names none, or several alike.

    ``B``, ``(b)``, ``B. Paris``, ``The answer is B.``, ``\\boxed{B}``. Of several statements the last one counts.
    """
    alone = _ALONE.fullmatch(text)
    if alone:
        return alone[1].upper()
    for stated in (_BOXED, _STATED):
        found = stated.findall(text)
        if found:
            return str(found[-1]).upper()
    opening = _OPENING.match(text)
    if opening:
        return opening[1]
    for named in (_BRACKETED, _STANDING_ALONE):
        letters = set(named.findall(text))
        if letters:
            return letters.pop() if len(letters) == 1 else None
    return None


def _is_exact(text: str, answer: str) -> bool:
    return text.split() == answer.split()


def _matches(text: str, pattern: str) -> bool:
    with _limited(pattern, len(text)):
        return compiled(pattern).search(text) is not None


def _is_choice(text: str, letter: str) -> bool:
    return choice_of(text) == letter.upper()


_GRADERS: Final[Mapping[Grader, Callable[[str, str], bool]]] = {
    "exact": _is_exact,
    "regex": _matches,
    "choice": _is_choice,
}


@contextmanager
def _limited(pattern: str, letters: int) -> Iterator[None]:
    """End a search that takes too long: nested repetitions take time that doubles with every letter.

    A length limit would not help, since thirty letters can be enough. `re` looks for signals while it searches; the
    timer is the one of CPU time, because pytest-timeout has that of the wall clock. Only the main thread gets signals,
    and in a load process that is where answers are read.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise ConfigurationError(
            f"the expected regular expression {pattern[:60]!r} took more than {SEARCH_LIMIT_S:g} s of CPU time on an "
            f"answer of {letters} letters; write it without a repetition within a repetition"
        )

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SEARCH_LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
