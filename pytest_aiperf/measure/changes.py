"""What is another than when the baseline was recorded, and does not forbid the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pytest_aiperf.baseline.schema import Baseline, Environment
from pytest_aiperf.measure.measurement import Change

_FACTS: Final = (
    "server",
    "driver",
    "cuda",
    "host",
    "client",
    "python",
    "transport",
    "timestamps",
    "osl_source",
)
"""Those that explain most come first."""


def changes(baseline: Baseline, now: Environment) -> Sequence[Change]:
    """Return what differs from the newest session of the baseline.

    A fact that one side does not know is no change: older sessions do not have them all.
    """
    before = baseline.sessions[-1].environment
    pairs = [(fact, getattr(before, fact), getattr(now, fact)) for fact in _FACTS]
    return [_change(fact, was, is_) for fact, was, is_ in pairs if None not in (was, is_) and was != is_]


def _change(fact: str, before: str, now: str) -> Change:
    if fact == "host":  # the hashes of two names mean nothing to people
        return Change(name="host", before="the baseline's", now="another machine")
    return Change(name=fact, before=before, now=now)
