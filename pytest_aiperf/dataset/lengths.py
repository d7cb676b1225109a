"""PYTEST_DONT_REWRITE. Numbers that spread around a mean: lengths, turns, pauses, sizes.

Both shapes have the mean and the standard deviation that were asked for, before two things that whole positive numbers
need: values are rounded, and cut to the range: what falls below the least becomes the least. So a normal one whose
deviation is not small beside its mean has a mean a little higher, and the docs say by how much.
Normal values come from `normalvariate`, which is arithmetic and a comparison, so that every platform draws the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from pytest_aiperf.config.length_mix import LONGEST
from pytest_aiperf.dataset.streams import Streams

Shape = Literal["normal", "lognormal"]
_LOG_OF_MOST: Final = 700.0
"""`exp` of more overflows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A distribution of numbers. Without a deviation it is the mean, and draws nothing."""

    name: str
    """The purpose whose stream it draws from."""
    mean: float
    stddev: float = 0.0
    shape: Shape = "normal"
    least: float = 1
    most: float = LONGEST

    @property
    def fixed(self) -> bool:
        """Every value is the mean."""
        return self.stddev == 0

    def whole(self, streams: Streams) -> int:
        """Draw a whole number."""
        return round(self.value(streams))

    def value(self, streams: Streams) -> float:
        """Draw a number between the least and the most."""
        return max(self.least, min(self.most, self._uncut(streams)))

    def _uncut(self, streams: Streams) -> float:
        if self.fixed:
            return self.mean
        if self.shape == "normal":
            return streams[self.name].normalvariate(self.mean, self.stddev)
        return math.exp(min(streams[self.name].normalvariate(*self._of_logarithm()), _LOG_OF_MOST))

    def _of_logarithm(self) -> tuple[float, float]:
        """Mean and deviation of the logarithm: ``s² = ln(1 + (stddev / mean)²)``, ``m = ln(mean) - s² / 2``."""
        variance = math.log1p((self.stddev / self.mean) ** 2)
        return math.log(self.mean) - variance / 2, math.sqrt(variance)
