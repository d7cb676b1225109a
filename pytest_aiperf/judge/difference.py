"""By how much two sides differ, and how well that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_aiperf.judge.distributions import t_tail, t_upper
from pytest_aiperf.judge.variance import log_values, mean, run_variance, session_variance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_aiperf.judge.samples import Policy, RunStat

_LARGEST_LOG = 700.0
"""Beyond this exp() overflows; a factor of 1e304 is as good as any."""


def ratio_minus_one(log_ratio: float) -> float:
    """exp(x) - 1, held finite so that every figure of a report can be written as JSON."""
    return math.expm1(min(log_ratio, _LARGEST_LOG))


def exp(log_value: float) -> float:
    """exp(x), held finite."""
    return math.exp(min(log_value, _LARGEST_LOG))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The oriented log difference of two sides: above zero is worse, whatever the metric's direction."""

    log_change: float
    se: float
    df: float
    log_tolerance: float
    """The larger of the relative tolerance and the absolute floor, as a log."""
    run_variance: float
    """Variance of log(value) from run to run."""
    baseline_runs: int
    candidate_sessions: int
    candidate_runs: int
    n_dropped: int = 0
    """Runs of both sides that were not usable."""

    def lower(self, alpha: float) -> float:
        """Bound that the true difference exceeds with confidence 1 - alpha."""
        return self.log_change - self._margin(alpha)

    def upper(self, alpha: float) -> float:
        """Bound that the true difference stays below with confidence 1 - alpha."""
        return self.log_change + self._margin(alpha)

    def p_worse_than(self, log_limit: float) -> float:
        """One-sided p-value of the null hypothesis that the true difference is at most `log_limit`."""
        excess = self.log_change - log_limit
        if self.se == 0.0:
            return 0.0 if excess > 0 else 1.0
        return t_tail(excess / self.se, self.df)

    def detectable(self, alpha: float, *, strict: bool) -> float:
        """Smallest worsening, as a fraction, that the gate at `alpha` finds with probability 95 %."""
        luck = self._margin(0.05)
        if strict:
            return ratio_minus_one(self.log_tolerance + self._margin(alpha) + luck)
        return ratio_minus_one(max(self._margin(alpha) + luck, self.log_tolerance + luck))

    def _margin(self, alpha: float) -> float:
        return t_upper(alpha, self.df) * self.se if self.se else 0.0


def difference(
    baseline: Sequence[Sequence[RunStat]], candidate: Sequence[Sequence[RunStat]], policy: Policy
) -> Difference:
    """Compare two sides of usable runs, at least one session each (see :mod:`pytest_aiperf.judge.usable`).

    Every session weighs the same, however many runs it has. The degrees of freedom of the sum of the run part
    and the session part are Satterthwaite's (1946, doi:10.2307/3002019).
    """
    sign = 1.0 if policy.direction == "lower" else -1.0
    run = run_variance([*baseline, *candidate], policy)
    session = session_variance(baseline, run, policy)
    run_part = run.value * (per_session(baseline) + per_session(candidate))
    session_part = session.value * (1 / len(baseline) + 1 / len(candidate))
    baseline_log = mean_of_sessions(baseline)
    return Difference(
        log_change=sign * (mean_of_sessions(candidate) - baseline_log),
        se=math.sqrt(run_part + session_part),
        df=satterthwaite((run_part, run.df), (session_part, session.df)),
        log_tolerance=_log_tolerance(policy, baseline_log),
        run_variance=run.value,
        baseline_runs=sum(map(len, baseline)),
        candidate_sessions=len(candidate),
        candidate_runs=sum(map(len, candidate)),
    )


def mean_of_sessions(sessions: Sequence[Sequence[RunStat]]) -> float:
    """Mean of log(value), every session weighing the same."""
    return mean([mean(log_values(runs)) for runs in sessions])


def per_session(sessions: Sequence[Sequence[object]]) -> float:
    """Variance of a side's mean in units of the run variance."""
    return mean([1 / len(runs) for runs in sessions]) / len(sessions)


def satterthwaite(*parts: tuple[float, float]) -> float:
    """Degrees of freedom of a sum of variances (value, df); parts of infinite df are known exactly."""
    total = sum(value for value, _ in parts)
    uncertain = sum(value**2 / df for value, df in parts)
    return total**2 / uncertain if uncertain else math.inf


def _log_tolerance(policy: Policy, baseline_log: float) -> float:
    relative = math.log1p(policy.tolerance)
    if policy.floor == 0.0:
        return relative
    return max(relative, math.log1p(policy.floor * exp(-baseline_log)))
