"""Stalls counted again by another threshold, from the stored histogram of the latency.

Two measurements that were not made for each other have thresholds of their own, each from its own median: a server that
is slower throughout would have no more stalls than before. The histogram's bins are 1 % wide, so that a count is wrong
at most by the requests within half a percent of the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from pytest_aiperf.baseline.schema import Distribution, Histogram, Run, Stalls
from pytest_aiperf.judge.stall_gate import STALL_FACTOR
from pytest_aiperf.measure.run_data import STALL_METRIC

_ROUNDING: Final = 1e-5
"""Baseline files keep six digits."""


def recounted(run: Run, threshold_ms: float | None) -> Run:
    """Return the run with its stalls by this threshold; None, and a run that has them so already, change nothing."""
    if threshold_ms is None or _has(run, threshold_ms):
        return run
    return run.model_copy(update={"stalls": _count(run, threshold_ms)})


def _has(run: Run, threshold_ms: float) -> bool:
    return run.stalls is not None and math.isclose(run.stalls.threshold_ms, threshold_ms, rel_tol=_ROUNDING)


def _count(run: Run, threshold_ms: float) -> Stalls | None:
    latency = run.metrics.get(STALL_METRIC)
    if not isinstance(latency, Distribution) or latency.hist is None:
        return None
    hist = latency.hist
    values = [(_middle(hist, index), count) for index, count in zip(hist.index, hist.count, strict=True)]
    over_ms = max(threshold_ms, STALL_FACTOR * _median(values))
    return Stalls(threshold_ms=threshold_ms, count=sum(count for value, count in values if value > over_ms))


def _middle(hist: Histogram, index: int) -> float:
    """Return the middle of a bin."""
    return math.exp((hist.offset + index + 0.5) * math.log1p(hist.growth))


def _median(values: Sequence[tuple[float, int]]) -> float:
    """The lower one, of values in ascending order with their counts; 0 of none."""
    half, seen = (sum(count for _, count in values) + 1) // 2, 0
    for value, count in values:
        seen += count
        if seen >= half:
            return value
    return 0.0
