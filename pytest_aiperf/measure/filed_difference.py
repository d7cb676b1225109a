"""What makes two files incomparable: their keys, and what only measuring shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from pytest_aiperf.baseline import keys
from pytest_aiperf.baseline.schema import STATS_VERSION, Baseline, BaselineKey, Distribution, Session
from pytest_aiperf.measure.filed import Candidate
from pytest_aiperf.measure.validity.limits import USUAL

_LENGTHS: Final = {
    "osl_as_baseline": ("output_sequence_length", "answers"),
    "isl_as_baseline": ("input_sequence_length", "prompts"),
}
"""By the validity check that a measurement makes of it."""


def differences(candidate: Candidate, key: BaselineKey, baseline: Baseline) -> Sequence[str]:
    """Return what makes the two incomparable, one phrase each; empty when they are comparable."""
    stated = [*_versions(candidate), *keys.differences(baseline, key)]
    return stated or list(_lengths(candidate, baseline))


def _versions(candidate: Candidate) -> Iterator[str]:
    if candidate.stats_version != STATS_VERSION:
        yield f"the result's statistics have version {candidate.stats_version}, not {STATS_VERSION}"


def _lengths(candidate: Candidate, baseline: Baseline) -> Iterator[str]:
    """Say which tokens are counted otherwise, or are more or fewer: another workload, though the requests are equal."""
    limits: Mapping[str, float] = {**USUAL, **candidate.limits}
    before = baseline.sessions[-1].environment.osl_source
    now = candidate.sessions[0].environment.osl_source
    if before != now and not {None, "absent"} & {before, now} and limits["osl_source_as_baseline"] < 1:
        yield f"output tokens were counted as {before}, now as {now}"
    for check, (metric, what) in _LENGTHS.items():
        old, new = _median_of(baseline.sessions, metric), _median_of(candidate.sessions, metric)
        if old and new and abs(new - old) / old > limits[check]:
            yield f"the {what} were {old:.0f} tokens long, are {new:.0f}"


def _median_of(sessions: Sequence[Session], metric: str) -> float | None:
    found = [run.metrics.get(metric) for session in sessions for run in session.runs]
    medians = [length.p50 for length in found if isinstance(length, Distribution) and length.p50]
    return median(medians) if medians else None
