"""PYTEST_DONT_REWRITE. Which expected answers can be graded by; told before any request is sent."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Final, get_args

from pytest_aiperf.common.conversation import Expected, Grader

_LONGEST_PATTERN: Final = 10_000
_LETTER: Final = re.compile("[A-Za-z]")


def check_expected(expected: Expected) -> str | None:
    """Return what is wrong with an expected answer and what would be right; None: nothing."""
    answer: object = expected.answer  # from a file, where it may be anything
    grader = expected.grader
    if grader not in get_args(Grader):
        return f"unknown grader {grader!r}; write one of {', '.join(get_args(Grader))}"
    if not isinstance(answer, str):
        return f"the expected answer is {type(answer).__name__}, not text; write it in quotes"
    if not answer.strip():
        return "the expected answer is empty; leave it out where nothing is expected"
    if grader == "choice" and not _LETTER.fullmatch(answer):
        return f"the expected choice {answer[:40]!r} is not a letter; write one, as in 'B'"
    return _problem_of(answer) if grader == "regex" else None


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a regular expression by which an answer is searched; ``.`` does not match the end of a line.

    Raises:
        re.error, OverflowError, RecursionError: it is not one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a later Python may read otherwise, this one reads as ever
        return re.compile(pattern)


def _problem_of(pattern: str) -> str | None:
    if len(pattern) > _LONGEST_PATTERN:
        return (
            f"the expected regular expression has {len(pattern)} letters; at most {_LONGEST_PATTERN} are read"
        )
    try:
        compiled(pattern)
    except re.error as error:
        where = "" if error.pos is None else f" at position {error.pos}"
        return f"the expected regular expression {_shown(pattern)} is none: {error.msg}{where}"
    except (OverflowError, RecursionError):
        return f"the expected regular expression {_shown(pattern)} is too large; write a simpler one"
    return None


def _shown(pattern: str) -> str:
    return repr(pattern if len(pattern) <= 60 else f"{pattern[:60]}…")
