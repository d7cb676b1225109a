"""How far the counters of a page went between its first and its last sample.

A counter that goes back was restarted, and then none of the page is told: adding up the rises would give figures that
look right and are too low. A label set that the first sample does not have began at zero, for clients make label sets
when they are first used.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pytest_aiperf.server_metrics.quantities import Part, SeriesKey
from pytest_aiperf.server_metrics.sample import ServerSample

GAUGES: Final[frozenset[Part]] = frozenset({"quantile"})
_ROUNDING: Final = 1e-9
"""Several processes' sums of seconds are added up in any order: less of a fall than this share is no fall."""

Growth = Mapping[SeriesKey, float]


def starts_of(samples: Iterable[ServerSample]) -> frozenset[float]:
    """Return when the servers of these samples were started: more than one is a restart, or more than one server."""
    return frozenset(sample.started_s for sample in samples if sample.started_s is not None)


def growth(samples: Sequence[ServerSample], counters: Iterable[str]) -> Growth | None:
    """Return how far each number of these quantities went, never negative; None where one went back."""
    wanted = frozenset(counters)
    first: dict[SeriesKey, float] = {}
    last: dict[SeriesKey, float] = {}
    for number, sample in enumerate(samples):
        for key, value in zip(sample.keys, sample.values, strict=True):
            if key.quantity not in wanted or key.part in GAUGES:
                continue
            before = last.get(key)
            if before is not None and value < before - abs(before) * _ROUNDING:
                return None
            if before is None:
                first[key] = value if number == 0 else 0.0
            last[key] = value
    return {key: max(value - first[key], 0.0) for key, value in last.items()}


def total(grown: Growth, quantity: str) -> float | None:
    """Return how far a counter went: its label sets together, or the one that went farthest, as the table says."""
    added = [grew for key, grew in grown.items() if key.quantity == quantity and key.part == "added"]
    largest = [grew for key, grew in grown.items() if key.quantity == quantity and key.part == "largest"]
    if not added and not largest:
        return None
    return finite(math.fsum([*added, *([max(largest)] if largest else [])]))


def part_of(grown: Growth, quantity: str, part: Part) -> float | None:
    """Return the sum over the label sets of one part of times."""
    values = [grew for key, grew in grown.items() if key.quantity == quantity and key.part == part]
    return finite(math.fsum(values)) if values else None


def buckets_of(grown: Growth, quantity: str) -> Mapping[float, float] | None:
    """Return the cumulative counts by upper edge, label sets together.

    None where there are none, or where label sets do not have the same edges: they cannot be added up then.
    """
    by_labels: dict[str, dict[float, float]] = defaultdict(dict)
    for key, grew in grown.items():
        if key.quantity == quantity and key.part == "bucket":
            by_labels[key.labels][float(key.bound)] = grew
    edges = {tuple(sorted(counts)) for counts in by_labels.values()}
    if len(edges) != 1:
        return None
    (shared,) = edges
    return {edge: math.fsum(counts[edge] for counts in by_labels.values()) for edge in shared}


def finite(value: float) -> float | None:
    """Return a finite value, None instead of another."""
    return value if math.isfinite(value) else None
