"""Quantiles of a histogram: which bucket they lie in is known, and where in it is a guess."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from pytest_aiperf.server_metrics.figures import Quantile

SHOWN: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def quantiles_of(buckets: Mapping[float, float]) -> dict[str, Quantile]:
    """Return the quantiles of cumulative counts by upper edge; empty without observations.

    As Prometheus' ``histogram_quantile`` has it: observations lie evenly in their bucket, and the lowest bucket begins
    at 0 where its edge is positive. What lies above the last finite edge has a lower bound, and no value.
    """
    edges = sorted(buckets)
    counts = _rising([buckets[edge] for edge in edges])
    if not edges or not counts[-1] > 0:
        return {}
    return {name: _quantile(edges, counts, share * counts[-1]) for name, share in SHOWN.items()}


def _quantile(edges: list[float], counts: list[float], rank: float) -> Quantile:
    place = next(i for i, count in enumerate(counts) if count >= rank and count > 0)
    high = edges[place]
    low = edges[place - 1] if place else (0.0 if high > 0 else -math.inf)
    if not math.isfinite(high) or not math.isfinite(low):
        return Quantile(low=low if math.isfinite(low) else None, high=high if math.isfinite(high) else None)
    below = counts[place - 1] if place else 0.0
    share = (rank - below) / (counts[place] - below) if counts[place] > below else 1.0
    return Quantile(value=low + (high - low) * min(max(share, 0.0), 1.0), low=low, high=high)


def _rising(counts: list[float]) -> list[float]:
    """Cumulative counts of label sets that were read in the middle of an update may fall a little."""
    highest, rising = 0.0, []
    for count in counts:
        highest = max(highest, count)
        rising.append(highest)
    return rising
