"""One run of one metric, reduced to what the gate needs: the statistic and how well the run itself knows it.

The scatter inside a run comes from sectioning (Nakayama 2014, "Confidence intervals for quantiles using
sectioning when applying variance-reduction techniques", doi:10.1145/2558328): ten contiguous sections, so
that neighbours that share a batch stay together, centred on the run's own value. Centring on the mean of the
sections ("batch means") is biased for tail quantiles.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.judge.samples import RunStat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

N_SECTIONS = 10
MIN_SECTIONED = 50
"""Fewer values than this leave sections of four or less, which say nothing about a quantile."""
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")


def run_stat(values: ArrayLike, statistic: str, *, n_err: int = 0, failed_as_inf: bool = False) -> RunStat:
    """Summarise one run.

    Args:
        values: per-request values, shape ``(n_requests,)``, in completion order, of requests that did not
            fail. NaN is a request without such a value (the token gap of an answer of one token) and is left
            out.
        statistic: ``mean`` (or ``avg``) or ``pNN``, also with decimals (``p99.9``).
        n_err: failed requests of the run.
        failed_as_inf: count the failed ones as infinitely slow. For quantiles of latencies: otherwise the
            latency of the survivors improves when the slow ones time out. No meaning for a mean, which would
            be infinite.

    Returns:
        The statistic, None where there are no values. It is computed however few there are: the gate drops
        runs below :func:`min_requests`. ``var_within`` is that of log(value), over the values that are
        finite; None below 50 of them and where a logarithm does not exist.

    Raises:
        ConfigurationError: there is no such statistic.
    """
    return run_stats(values, [statistic], n_err=n_err, failed_as_inf=failed_as_inf)[statistic]


def run_stats(
    values: ArrayLike, statistics: Sequence[str], *, n_err: int = 0, failed_as_inf: bool = False
) -> dict[str, RunStat]:
    """Summarise one run by several statistics, as :func:`run_stat` does by one; the values are sorted once.

    Raises:
        ConfigurationError: there is no such statistic.
    """
    fractions = {statistic: quantile_of(statistic) for statistic in statistics}
    given = np.asarray(values, dtype=np.float64)
    present = _Sample(given[~np.isnan(given)])
    whole = _Sample(present.values[np.isfinite(present.values)])
    sections = [_Sample(part) for part in np.array_split(whole.values, N_SECTIONS)]
    failed = n_err if failed_as_inf else 0
    return {
        statistic: RunStat(
            value=present.statistic(fraction, failed=failed),
            n_ok=len(whole.values),
            var_within=_var_within(whole, sections, fraction),
            n_err=n_err,
        )
        for statistic, fraction in fractions.items()
    }


def quantile_of(statistic: str) -> float | None:
    """0.95 for ``p95``, None for the mean.

    Raises:
        ConfigurationError: there is no such statistic.
    """
    percent = _percent(statistic)
    return None if percent is None else float(percent / 100)


@cache
def min_requests(statistic: str) -> int:
    """Requests that a run needs before this statistic is judged: ten beyond the quantile, and never under 20.

    20 for the mean and p50, 100 for p90, 200 for p95, 1000 for p99.

    Raises:
        ConfigurationError: there is no such statistic.
    """
    percent = _percent(statistic)
    if percent is None:
        return 20
    return max(20, math.ceil(1000 / min(percent, 100 - percent)))


@cache
def _percent(statistic: str) -> Fraction | None:
    """The quantile in percent, exactly: 1 - 0.99 is not 0.01 in floats."""
    if statistic in ("mean", "avg"):
        return None
    match = _QUANTILE.fullmatch(statistic)
    percent = Fraction(match.group(1)) if match else Fraction(0)
    if percent == 0:
        raise ConfigurationError(
            f"unknown statistic {statistic!r}; use mean, or a quantile such as p50, p95 or p99.9"
        )
    return percent


class _Sample:
    """Values of which several statistics are asked: sorted once, at the first quantile."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.values = values

    @cached_property
    def _ordered(self) -> NDArray[np.float64]:
        return np.sort(self.values)

    def statistic(self, fraction: float | None, *, failed: int = 0) -> float | None:
        """The mean, or a quantile among so many values more that are infinite."""
        if fraction is None:
            return float(np.mean(self.values)) if len(self.values) else None
        count = len(self.values) + failed
        if count == 0:
            return None
        position = fraction * (count - 1)
        below = math.floor(position)
        weight = position - below
        low = self._at(below)
        if weight == 0.0:
            return low
        high = self._at(below + 1)
        # Linear between order statistics, as numpy.quantile, but infinite where a neighbour is, never NaN.
        return high if math.isinf(high) else low + weight * (high - low)

    def _at(self, rank: int) -> float:
        return float(self._ordered[rank]) if rank < len(self.values) else math.inf


def _var_within(whole: _Sample, sections: Sequence[_Sample], fraction: float | None) -> float | None:
    if len(whole.values) < MIN_SECTIONED:
        return None
    centre = whole.statistic(fraction)
    parts = [section.statistic(fraction) for section in sections]
    if not centre or centre < 0 or any(not part or part < 0 for part in parts):
        return None
    squares = (math.log(part / centre) ** 2 for part in parts if part)
    return math.fsum(squares) / (N_SECTIONS - 1) / N_SECTIONS
