"""The family of errors. A message says what happened, the values, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pytest_aiperf.common.printable import printable


class AiperfError(Exception):
    """Root of everything that this package raises on purpose.

    Messages quote servers and files, and end on screens: what a terminal would obey is replaced.
    """

    def __str__(self) -> str:
        return printable(super().__str__(), keep="\n")


class ConfigurationError(AiperfError):
    """An option, a marker argument or a file that the user can correct before anything is sent."""


class MeasurementError(AiperfError):
    """The measurement could not be made. Never a pass and never a regression."""


class EndpointError(MeasurementError):
    """The endpoint cannot be used: refused, unknown host, not the API that was asked for, its own error."""


class InvalidMeasurementError(MeasurementError):
    """The load ran, but a validity check says that its numbers cannot be trusted."""


class ProcessDiedError(MeasurementError):
    """A process of ours ended in the middle of its work."""


class BaselineError(AiperfError):
    """A baseline file that cannot be read, is newer than this version, or cannot be written."""


class Regression(AssertionError):
    """The measurement is worse than its baseline by more than the tolerance and by more than noise."""


class SloMissed(AssertionError):
    """A figure does not keep an absolute limit of the test (`slo=`)."""


class MissingBaselineError(AssertionError):
    """There is no comparable baseline. An assertion, so that it fails the test in the call phase."""


class InconclusiveError(AssertionError):
    """The verdict is inconclusive and the project asked that this fails (`aiperf_inconclusive = fail`)."""


for _shown in (
    ConfigurationError,
    MeasurementError,
    EndpointError,
    InvalidMeasurementError,
    ProcessDiedError,
    BaselineError,
    Regression,
    SloMissed,
    MissingBaselineError,
    InconclusiveError,
):
    # Tracebacks print "Regression: ttft p50 +37 %" instead of the module's path before it, as pytest's own
    # outcome exceptions do.
    _shown.__module__ = "builtins"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest known word, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
