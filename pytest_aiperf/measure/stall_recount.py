"""Stalls counted again by another threshold, from the stored histogram of the latency.

Two measurements that were not made for each other have thresholds of their own, each from its own median: a server that
is slower throughout would have no more stalls than before. The histogram's bins are 1 % wide, so that a count is wrong
at most by the requests within half a percent of the threshold.
"""

from __future__ import annotations

import math
from typing import Final

from pytest_aiperf.baseline.schema import Distribution, Run, Stalls
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
    bin_of_threshold = math.log(threshold_ms) / math.log1p(hist.growth) - hist.offset
    counts = zip(hist.index, hist.count, strict=True)
    return Stalls(
        threshold_ms=threshold_ms, count=sum(count for i, count in counts if i + 0.5 > bin_of_threshold)
    )
