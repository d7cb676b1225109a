"""Readings of one figure over a span of time. Pure.

A figure is taken to change in straight lines between two readings, at the ends of the span too, where the readings
next to it on either side are used. That is right on average and wrong by up to the whole step between the two, so
that it may concern a tenth of the span at either end and no more: readings every 30 s say nothing of a run of 12 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

EDGE: Final = 0.1
"""Share of the span that one edge may be interpolated over, and that may be without any reading at all."""
Point = tuple[int, float]
"""CLOCK_REALTIME ns, and the figure."""


class TooFewReadingsError(Exception):
    """The readings do not cover the span; the text says why. Never leaves this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From one moment to another, CLOCK_REALTIME ns."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.end_ns <= self.start_ns:
            raise ValueError(f"a window must end after its start: {self.start_ns} .. {self.end_ns}")

    @property
    def seconds(self) -> float:
        """Length."""
        return (self.end_ns - self.start_ns) / 1e9

    def has(self, stamp_ns: int) -> bool:
        """Return whether a moment lies in it."""
        return self.start_ns <= stamp_ns <= self.end_ns


def clipped(points: Sequence[Point], span: Span) -> list[Point]:
    """Return the points inside, and the ends of the span as far as they can be interpolated.

    Raises:
        TooFewReadingsError: fewer than two readings inside, or a part of the span without any.
    """
    inside = [point for point in points if span.has(point[0])]
    if len(inside) < 2:
        raise TooFewReadingsError(f"{_count(len(inside))} within {span.seconds:.3g} s{_pace(points)}")
    widest_ns = EDGE * (span.end_ns - span.start_ns)
    before = max((point for point in points if point[0] < span.start_ns), default=None)
    after = min((point for point in points if point[0] > span.end_ns), default=None)
    if before is not None and inside[0][0] - before[0] <= widest_ns:
        inside.insert(0, (span.start_ns, _between(before, inside[0], span.start_ns)))
    if after is not None and after[0] - inside[-1][0] <= widest_ns:
        inside.append((span.end_ns, _between(inside[-1], after, span.end_ns)))
    covered = (inside[-1][0] - inside[0][0]) / (span.end_ns - span.start_ns)
    if covered < 1 - EDGE:
        raise TooFewReadingsError(f"readings cover {covered:.0%} of {span.seconds:.3g} s{_pace(points)}")
    return inside


def mean_over(points: Sequence[Point], span: Span) -> float:
    """Return the mean over time: the area under the readings by its length. Raises as `clipped`."""
    line = clipped(points, span)
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(line))
    return area / (line[-1][0] - line[0][0])


def rise_over(points: Sequence[Point], span: Span) -> float:
    """Return how far a counter went over the whole span. Raises as `clipped`, and where the counter went back.

    A part at an end that no reading covers is taken to have had the mean rate.
    """
    if any(b[1] < a[1] for a, b in pairwise(points)):
        raise TooFewReadingsError("the counter went back: the driver was loaded anew, or it went round")
    line = clipped(points, span)
    return (line[-1][1] - line[0][1]) / (line[-1][0] - line[0][0]) * (span.end_ns - span.start_ns)


def longest_gap_s(stamps_ns: Sequence[int], span: Span) -> float:
    """Return the longest time without a reading inside the span, its ends included."""
    inside = [stamp for stamp in stamps_ns if span.has(stamp)]
    return max((b - a) / 1e9 for a, b in pairwise([span.start_ns, *inside, span.end_ns]))


def _between(one: Point, other: Point, at_ns: int) -> float:
    share = (at_ns - one[0]) / (other[0] - one[0])
    return one[1] + share * (other[1] - one[1])


def _count(readings: int) -> str:
    return "no reading" if readings == 0 else "one reading"


def _pace(points: Sequence[Point]) -> str:
    gaps = sorted(b[0] - a[0] for a, b in pairwise(points))
    return f"; readings came every {gaps[len(gaps) // 2] / 1e9:.3g} s" if gaps else ""
