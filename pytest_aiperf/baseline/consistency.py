"""Whether the figures of a file agree with each other.

A baseline lies in a repository, where it is merged and edited by hand. A figure that somebody changed would be a
verdict that nobody measured, so each is held against the histogram of the values that it was taken from. That is a
guard against mistakes, not against intent: who changes both is believed.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul
from typing import Final

from pytest_aiperf.baseline.schema import SMALLEST, Baseline, Distribution, Histogram, Run

Contradiction = tuple[str, str]
"""The place, and what is wrong there."""

_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_ORDER: Final = ("min", *_QUANTILES, "max")
_ROUNDING: Final = 1e-5
"""Relative: a file has six significant digits, which are off by half of this at most; logarithms by far less."""


def contradictions(baseline: Baseline) -> Iterator[Contradiction]:
    """Yield what cannot be in a file as this package writes it."""
    seen: set[str] = set()
    for i, session in enumerate(baseline.sessions):
        if session.id in seen:
            yield f"sessions.{i}.id", f"an earlier session has the id {session.id!r} already"
        seen.add(session.id)
        for k, run in enumerate(session.runs):
            yield from ((f"sessions.{i}.runs.{k}.{place}", what) for place, what in run_contradictions(run))
    if baseline.anchor not in seen:
        yield "anchor", f"no session has the id {baseline.anchor!r}"


def run_contradictions(run: Run) -> Iterator[Contradiction]:
    """Yield what cannot be of one run; places begin at the run."""
    if run.n_ok == 0:
        yield "n_ok", "no request of this run succeeded, there is nothing to compare with"
    if run.stalls is not None and run.stalls.count > run.n_ok:
        yield "stalls.count", f"{run.stalls.count} stalls among {run.n_ok} good requests"
    for tag, found in run.metrics.items():
        if isinstance(found, Distribution):
            # Failed requests count as infinitely slow, where slow is what is worse.
            failed = run.n_err if found.direction == "lower" else 0
            yield from (
                (f"metrics.{tag}.{place}", what) for place, what in _of_distribution(found, failed=failed)
            )


def _of_distribution(found: Distribution, *, failed: int) -> Iterator[Contradiction]:
    yield from _out_of_order(found)
    if found.hist is None:
        return
    total = sum(found.hist.count)
    if total != found.count:
        yield "hist", f"its counts add up to {total}, but count is {found.count}"
        return
    if total == 0:
        figures = [(name, getattr(found, name)) for name in ("avg", *_ORDER)]
        yield from ((name, f"{name} is {v:.6g} of no values") for name, v in figures if v is not None)
        return
    bins = _Bins.of(found.hist, least=found.min)
    for name, value, (low, high) in (
        ("min", found.min, bins.quantile(0.0)),
        ("max", found.max, bins.quantile(1.0)),
        ("avg", found.avg, bins.mean()),
        *((name, getattr(found, name), bins.quantile(q, failed=failed)) for name, q in _QUANTILES.items()),
    ):
        if what := _disagreement(name, value, low, high):
            yield name, what


def _out_of_order(found: Distribution) -> Iterator[Contradiction]:
    known = [(name, value) for name in _ORDER if (value := getattr(found, name)) is not None]
    for (lesser, low), (name, high) in pairwise(known):
        if low > high + _ROUNDING * max(abs(low), abs(high)):
            yield name, f"{name} is {high:.6g}, less than {lesser}, {low:.6g}"


def _disagreement(name: str, value: float | None, low: float, high: float) -> str | None:
    """What is wrong with a figure that must lie between `low` and `high`; both infinite: it must be null."""
    if math.isinf(low):
        return None if value is None else f"{name} is {value:.6g}, but too many failed for it to be finite"
    slack = _ROUNDING * max(abs(low), abs(high))
    if value is None:
        # A run too short for a p99 has none.
        return None if name == "p99" else f"{name} is null, but its histogram says {_span(low, high)}"
    if low - slack <= value <= high + slack:
        return None
    return f"{name} is {value:.6g}, but its histogram says {_span(low, high)}"


def _span(low: float, high: float) -> str:
    return f"{low:.6g} to {high:.6g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bins:
    """What a histogram tells of its values: of each rank, between which edges its value lies."""

    low: Sequence[float]
    high: Sequence[float]
    count: Sequence[int]
    until: Sequence[int]
    """How many values lie in a bin and in those before it."""

    @classmethod
    def of(cls, hist: Histogram, *, least: float | None) -> _Bins:
        """`least` bounds the values that were too small for a bin of their own."""
        width = math.log1p(hist.growth)
        low = [math.exp((hist.offset + i) * width) for i in hist.index]
        high = [edge * (1 + hist.growth) for edge in low]
        if least is not None and low[0] <= SMALLEST:
            low[0] = min(low[0], least)
        return cls(low=low, high=high, count=hist.count, until=list(accumulate(hist.count)))

    def quantile(self, q: float, *, failed: int = 0) -> tuple[float, float]:
        """Bounds of a quantile, linear between order statistics, among so many more values that are infinite."""
        position = q * (self.until[-1] + failed - 1)
        below, above = math.floor(position), math.ceil(position)
        if above >= self.until[-1]:
            return math.inf, math.inf
        a, b = bisect_right(self.until, below), bisect_right(self.until, above)
        weight = position - below
        return (
            self.low[a] + weight * (self.low[b] - self.low[a]),
            self.high[a] + weight * (self.high[b] - self.high[a]),
        )

    def mean(self) -> tuple[float, float]:
        """Bounds of the mean."""
        total = self.until[-1]
        return sum(map(mul, self.count, self.low)) / total, sum(map(mul, self.count, self.high)) / total
