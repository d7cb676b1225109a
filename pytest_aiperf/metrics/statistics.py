"""Statistics of one metric: of values, one per request or run, or of levels, by the time spent at them.

Percentiles of values are linear between neighbours, as numpy's. Where failed requests count as +inf they are
nearest-rank, the least value at or below which at least that share of them lies: between a value and +inf there is
nothing to interpolate. Those of levels are the least level at or below which at least that share of the time was
spent.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Protocol

import numpy as np

from pytest_aiperf.metrics.base_metric import Floats, Levels


class Statistics(Protocol):
    """Every figure is in the unit of the metric."""

    @property
    def count(self) -> int:
        """Values or levels that there are: at least one."""

    @property
    def sum(self) -> float | None:
        """Sum; None for levels."""

    @property
    def avg(self) -> float:
        """Mean, of levels over time."""

    @property
    def min(self) -> float:
        """Least value."""

    @property
    def max(self) -> float:
        """Greatest value."""

    @property
    def std(self) -> float:
        """Standard deviation (ddof 0); NaN where a value is infinite."""

    def percentile(self, percent: float) -> float:
        """Return a percentile, `percent` from 0 to 100."""


class ValueStatistics:
    """Statistics of values; those that are +inf stand for failed requests."""

    def __init__(self, values: Floats, *, nearest_rank: bool = False) -> None:
        self._values = values
        self._nearest_rank = nearest_rank

    @property
    def count(self) -> int:
        return int(self._values.size)

    @property
    def sum(self) -> float | None:
        return float(self._values.sum())

    @property
    def avg(self) -> float:
        return float(self._values.mean())

    @property
    def min(self) -> float:
        return float(self._values.min())

    @property
    def max(self) -> float:
        return float(self._values.max())

    @property
    def std(self) -> float:
        return float(self._values.std()) if math.isfinite(self.max) else math.nan

    def percentile(self, percent: float) -> float:
        if self._nearest_rank:
            # Divided last: 0.29 x 100 is more than 29 in floats, and would be the 30th.
            return float(self._ordered[max(math.ceil(percent * self.count / 100) - 1, 0)])
        position = percent * (self.count - 1) / 100
        below = math.floor(position)
        low, high = float(self._ordered[below]), float(self._ordered[math.ceil(position)])
        return low + (position - below) * (high - low)

    @cached_property
    def _ordered(self) -> Floats:
        return np.sort(self._values)


class LevelStatistics:
    """Statistics of levels, each weighted by the time spent at it."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels

    @property
    def count(self) -> int:
        return int(self._levels.level.size)

    @property
    def sum(self) -> float | None:
        return None

    @property
    def avg(self) -> float:
        return float(np.average(self._levels.level, weights=self._levels.seconds))

    @property
    def min(self) -> float:
        return float(self._levels.level.min())

    @property
    def max(self) -> float:
        return float(self._levels.level.max())

    @property
    def std(self) -> float:
        squares = (self._levels.level - self.avg) ** 2
        return math.sqrt(np.average(squares, weights=self._levels.seconds))

    def percentile(self, percent: float) -> float:
        level, spent_s = self._ordered
        where = int(np.searchsorted(spent_s, percent / 100 * spent_s[-1]))
        return float(level[min(where, len(level) - 1)])

    @cached_property
    def _ordered(self) -> tuple[Floats, Floats]:
        order = np.argsort(self._levels.level)
        return self._levels.level[order], np.cumsum(self._levels.seconds[order])


def percent_of(name: str) -> float | None:
    """Return 95 for ``p95``, 99.9 for ``p99_9`` and for ``p999``; None where the name is no percentile."""
    digits = name[1:].replace("_", ".") if name != "p999" else "99.9"
    if not name.startswith("p") or not digits.replace(".", "", 1).isdecimal():
        return None
    percent = float(digits)
    return percent if percent <= 100 else None
