"""A sparse histogram with buckets of equal relative width, small enough to keep in a baseline file.

Any quantile can be read from it later with a relative error of at most growth / (2 + growth), that is 0.5 %
at the default: 0.5 to 0.8 KB where the raw values would take 6 to 29. The mapping is that of DDSketch
(Masson, Rim, Lee 2019, doi:10.14778/3352063.3352135), without the library: a file must be readable in five
years.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_aiperf.common.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

SMALLEST = 1e-6
"""Values below this (a nanosecond, in milliseconds) are counted as this: zero has no logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHistogram:
    """`count[i]` values lie in ``[(1 + growth)**b, (1 + growth)**(b + 1))``, b = `offset` + `index[i]`."""

    growth: float
    offset: int
    index: tuple[int, ...]
    count: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many values it holds."""
        return sum(self.count)

    def quantile(self, q: float) -> float | None:
        """The quantile `q` in [0, 1], linear between order statistics; None when the histogram is empty.

        Raises:
            ValueError: `q` is not in [0, 1].
        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a quantile is asked for as a fraction from 0 to 1, not {q}")
        if not self.count:
            return None
        position = q * (self.total - 1)
        low = self._ordered(math.floor(position))
        return low + (position - math.floor(position)) * (self._ordered(math.ceil(position)) - low)

    def _ordered(self, rank: int) -> float:
        """The value of the given rank (from 0), as the point of its bucket with the least relative error."""
        bucket = int(np.searchsorted(np.cumsum(self.count), rank, side="right"))
        lower_edge = math.exp((self.offset + self.index[bucket]) * math.log1p(self.growth))
        return lower_edge * 2 * (1 + self.growth) / (2 + self.growth)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "growth": self.growth,
            "offset": self.offset,
            "index": list(self.index),
            "count": list(self.count),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, total: int | None = None) -> LogHistogram:
        """Read what :meth:`to_dict` wrote, and check that it adds up, to `total` where that is known.

        Raises:
            BaselineError: a field is missing or of the wrong kind, or the counts do not add up.
        """
        missing = [name for name in ("growth", "offset", "index", "count") if name not in data]
        if missing:
            raise _broken(f"it lacks {', '.join(missing)}")
        read = cls(
            growth=data["growth"],
            offset=data["offset"],
            index=tuple(data["index"]),
            count=tuple(data["count"]),
        )
        complaint = read._complaint(total)
        if complaint:
            raise _broken(complaint)
        return read

    def _complaint(self, total: int | None) -> str | None:
        whole = (self.offset, *self.index, *self.count)
        if not all(isinstance(number, int) and not isinstance(number, bool) for number in whole):
            return "offset, index and count must be whole numbers"
        if not isinstance(self.growth, float) or not 0 < self.growth < 1:
            return f"growth is {self.growth!r}, not a fraction between 0 and 1"
        if len(self.index) != len(self.count):
            return f"it has {len(self.index)} buckets and {len(self.count)} counts"
        if any(b <= a for a, b in pairwise((-1, *self.index))):
            return "its buckets are not in rising order"
        if any(count < 1 for count in self.count):
            return "it has a bucket without values"
        if total is not None and self.total != total:
            return f"its counts add up to {self.total}, not to {total}"
        return None


def log_histogram(values: ArrayLike, growth: float = 0.01) -> LogHistogram:
    """Count finite values, shape ``(n,)``; NaN (no such value) and infinite ones (failed) are left out."""
    given = np.asarray(values, dtype=np.float64)
    held = np.maximum(given[np.isfinite(given)], SMALLEST)
    buckets = np.floor(np.log(held) / math.log1p(growth)).astype(np.int64)
    offset = int(buckets.min()) if len(buckets) else 0
    # Doubles span too few buckets (71 000 at the default) for counting each one to cost as much as a sort.
    counts = np.bincount(buckets - offset)
    index = np.flatnonzero(counts)
    return LogHistogram(
        growth=growth, offset=offset, index=tuple(index.tolist()), count=tuple(counts[index].tolist())
    )


def _broken(complaint: str) -> BaselineError:
    return BaselineError(
        f"a histogram in the baseline cannot be used: {complaint}; record the baseline again"
    )
