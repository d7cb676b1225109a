"""PYTEST_DONT_REWRITE. When requests are due in an open loop: drawn before the run, a pure function of the seed.

All patterns are made from one stream of uniform numbers by the inverse of their distribution. So the same seed gives
the same crowds and lulls at every rate and every smoothness, which makes two loads comparable; and nothing depends on
how a version of numpy happens to draw its gamma numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import Final

import numpy as np

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Int64
from pytest_aiperf.common.rng import derive
from pytest_aiperf.engine.plan import RampShape
from pytest_aiperf.engine.ramp import Float64, ramped_times_s
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.plugin.plugins import get_class

ARRIVALS: Final = "arrivals"
"""Name of the random stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalPattern(ABC):
    """How the gaps between two arrivals are spread around their mean."""

    smoothness: float = 1.0
    """Shape of the gamma distribution; above 1 smoother than Poisson, below 1 burstier. Others do without."""

    @abstractmethod
    def gaps(self, uniform: Float64) -> Float64:
        """Return ``(n,)`` gaps of mean 1, one for each number from [0, 1)."""


class ConstantArrivals(ArrivalPattern):
    """Every gap is the same."""

    def gaps(self, uniform: Float64) -> Float64:
        return np.ones_like(uniform)


class PoissonArrivals(ArrivalPattern):
    """Exponential gaps: independent users."""

    def gaps(self, uniform: Float64) -> Float64:
        return np.asarray(-np.log1p(-uniform), dtype=np.float64)


class GammaArrivals(ArrivalPattern):
    """Gamma gaps with shape `smoothness` and scale ``1 / smoothness``; with 1 they are Poisson's."""

    def gaps(self, uniform: Float64) -> Float64:
        from scipy.special import gammaincinv

        return np.asarray(gammaincinv(self.smoothness, uniform) / self.smoothness, dtype=np.float64)


def arrival_times_ns(
    pattern: str,
    *,
    rate: float,
    seed: int,
    count: int | None = None,
    duration_s: float | None = None,
    smoothness: float = 1.0,
    ramp_s: float = 0.0,
    ramp_shape: RampShape = "linear",
) -> Int64:
    """Return ``(n,)`` due times, not falling, ns from the start of the run: `LoadPlan.due_ns`.

    The first request is due one gap after the start, so n requests at a constant rate end at exactly ``n / rate``.

    Args:
        pattern: registered name of an `arrival_pattern`: ``constant``, ``poisson``, ``gamma``.
        rate: requests/s, after the ramp.
        seed: the seed of the measurement; the stream is `ARRIVALS`.
        count: so many arrivals; with a duration too: at most so many.
        duration_s: arrivals up to this moment.
        smoothness: of `gamma`.
        ramp_s: the rate grows from 0 to `rate` over this long.

    Raises:
        ConfigurationError: no such pattern; a number that is out of its range; neither count nor duration.
    """
    _check_positive("the request rate", rate)
    _check_positive("the arrival smoothness", smoothness)
    spacing: ArrivalPattern = get_class(PluginType.ARRIVAL_PATTERN, pattern)(smoothness=smoothness)
    stream = np.random.Generator(np.random.PCG64(derive(seed, ARRIVALS).getrandbits(128)))
    if count is None and duration_s is None:
        raise ConfigurationError("a request rate needs an end: give a request count or a duration")
    if duration_s is None:
        wanted = count or 0
        arrivals = np.cumsum(spacing.gaps(stream.random(wanted)))
        return _in_ns(ramped_times_s(arrivals, rate=rate, ramp_s=ramp_s, shape=ramp_shape))
    _check_positive("the duration", duration_s)
    mean = rate * duration_s
    gaps = spacing.gaps(stream.random(ceil(mean + 10 * sqrt(mean) + 10)))
    while gaps.sum() < mean:  # bursty gaps may take more of them than most
        gaps = np.concatenate((gaps, spacing.gaps(stream.random(len(gaps)))))
    due_ns = _in_ns(ramped_times_s(np.cumsum(gaps), rate=rate, ramp_s=ramp_s, shape=ramp_shape))
    return due_ns[due_ns <= round(duration_s * 1e9)][:count]


def busiest_second(due_ns: Int64) -> int:
    """Return the most arrivals within any one second."""
    until = np.searchsorted(due_ns, due_ns + 1_000_000_000)
    return int((until - np.arange(len(due_ns))).max())


def _in_ns(times_s: Float64) -> Int64:
    return np.rint(times_s * 1e9).astype(np.int64)


def _check_positive(what: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise ConfigurationError(f"{what} must be greater than 0 and finite, got {value}")
