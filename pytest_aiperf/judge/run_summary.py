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
from typing import TYPE_CHECKING

import numpy as np

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.judge.samples import RunStat

if TYPE_CHECKING:
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
    fraction = quantile_of(statistic)
    given = np.asarray(values, dtype=np.float64)
    present = given[~np.isnan(given)]
    finite = present[np.isfinite(present)]
    if failed_as_inf and fraction is not None:
        present = np.append(present, np.full(n_err, np.inf))
    value = _statistic(present, fraction)
    return RunStat(value=value, n_ok=len(finite), var_within=_var_within(finite, fraction), n_err=n_err)


def quantile_of(statistic: str) -> float | None:
    """0.95 for ``p95``, None for the mean.

    Raises:
        ConfigurationError: there is no such statistic.
    """
    percent = _percent(statistic)
    return None if percent is None else float(percent / 100)


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


def _statistic(values: NDArray[np.float64], fraction: float | None) -> float | None:
    if len(values) == 0:
        return None
    if fraction is None:
        return float(np.mean(values))
    return _quantile(np.sort(values), fraction)


def _quantile(ordered: NDArray[np.float64], fraction: float) -> float:
    """Linear between order statistics, as ``numpy.quantile``, but infinite where a neighbour is, never
    NaN."""
    position = fraction * (len(ordered) - 1)
    below = math.floor(position)
    weight = position - below
    low = float(ordered[below])
    if weight == 0.0:
        return low
    high = float(ordered[below + 1])
    return high if math.isinf(high) else low + weight * (high - low)


def _var_within(values: NDArray[np.float64], fraction: float | None) -> float | None:
    if len(values) < MIN_SECTIONED:
        return None
    centre = _statistic(values, fraction)
    sections = [_statistic(section, fraction) for section in np.array_split(values, N_SECTIONS)]
    if not centre or centre < 0 or any(not section or section < 0 for section in sections):
        return None
    squares = (math.log(section / centre) ** 2 for section in sections if section)
    return math.fsum(squares) / (N_SECTIONS - 1) / N_SECTIONS
