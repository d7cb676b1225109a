"""PYTEST_DONT_REWRITE. Ramps as exact functions of time: no stepping, no update interval.

A ramp of length D to a target V has at time t the value V (t / D)^k; k is 1 for ``linear`` and 2 for ``exponential``,
which is what the field calls a curve that starts slowly. After D it is V exactly.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import Int64
from pytest_aiperf.engine.plan import RampShape

Float64 = npt.NDArray[np.float64]

_EXPONENT: Final[dict[RampShape, int]] = {"linear": 1, "exponential": 2}


def ramped_times_s(arrivals: Float64, *, rate: float, ramp_s: float, shape: RampShape = "linear") -> Float64:
    """Return when arrivals happen whose rate grows from 0 to `rate` within `ramp_s` and then stays.

    The rate r(t) is integrated to the expected number of arrivals so far, L(t); an arrival at x on the axis of
    expected arrivals happens at L^-1(x). That is exact for any pattern: constant gaps stay evenly spaced in L, and
    a Poisson process becomes the inhomogeneous one.

    Args:
        arrivals: ``(n,)`` positions on the axis of expected arrivals, in order: the running sum of gaps of mean 1.
        rate: requests/s after the ramp.
        ramp_s: length of the ramp; 0 for none.
    """
    if not ramp_s:
        return arrivals / rate
    exponent = _EXPONENT[shape] + 1
    within = rate * ramp_s / exponent
    rising = ramp_s * (np.minimum(arrivals, within) / within) ** (1 / exponent)
    return rising + np.maximum(arrivals - within, 0.0) / rate


def limit_steps_ns(limit: int, *, ramp_s: float, shape: RampShape = "linear") -> Int64:
    """Return ``(limit,)``: when a limit that grows from 1 to `limit` within `ramp_s` allows 1, 2, … at a time."""
    if limit == 1:
        return np.zeros(1, dtype=np.int64)
    share = np.arange(limit) / (limit - 1)
    return np.rint(share ** (1 / _EXPONENT[shape]) * ramp_s * 1e9).astype(np.int64)
