"""Do more requests stall than before? What p99 cannot see below a thousand requests per run.

A stall is a request slower than 1.5 times the baseline's median. The share of them finds a tail that grew
about three times as often as p99 does with 200 requests per run. The threshold is stored with the baseline:
taken anew from each run it would move with the median.

The test is a t-test between runs, because stalls come in bursts (a preemption, a pause of the collector) and
requests of one run are no replicates. Counts are compared as sqrt(k) + sqrt(k + 1) (Freeman and Tukey 1950,
doi:10.1214/aoms/1177729756), whose variance is about one for chance alone, whatever the mean; that one is
also the prior to which the seen variance is shrunk, so that runs without a single stall do not prove a
variance of zero. Sessions differ beyond their runs here too (a busier machine stalls more), so that a stored baseline
brings a variance between sessions, estimated and moderated as that of the metrics is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pytest_aiperf.judge.difference import per_session, satterthwaite
from pytest_aiperf.judge.distributions import t_upper
from pytest_aiperf.judge.reason import percent
from pytest_aiperf.judge.samples import Decision
from pytest_aiperf.judge.variance import mean, sum_of_squares

STALL_FACTOR = 1.5
PRIOR_DF = 4
CHANCE = 1.0
"""Variance of a root when requests stall independently of each other: the prior of the run variance."""
PRIOR_SESSION_SD = 0.3
"""Sd of roots between sessions, before any was seen: a third of what chance does between runs. More would be safer and
would no longer find 3 % instead of 0.5 % with five runs of 200 requests on either side."""
Stalls = tuple[int, int]
"""Stalled requests and all requests of one run: (k, n)."""
StallSession = Sequence[Stalls]


def stall_threshold(baseline_medians: Sequence[float]) -> float:
    """The latency beyond which a request counts as stalled, in the unit of the medians (one per run).

    Raises:
        ValueError: there are no medians.
    """
    if not baseline_medians:
        raise ValueError("a stall threshold needs the median of at least one baseline run; got none")
    return STALL_FACTOR * median(baseline_medians)


def judge_stalls(
    baseline: Sequence[StallSession],
    candidate: Sequence[StallSession],
    *,
    alpha: float = 0.01,
    min_excess: float = 0.01,
    paired: bool = False,
) -> Decision:
    """Judge the share of stalled requests.

    A side is a sequence of sessions, a session a sequence of runs (stalled, all). Regressed when the lower
    bound at `alpha` (that of this look, where there are several) is above zero and the share is more than
    `min_excess` (a difference of shares: 0.01 is one percentage point) above the baseline's. Such an excess
    without such a bound is inconclusive; no larger excess is a pass.

    Raises:
        ValueError: a run has stalls that cannot be: fewer than none, or more than it has requests.
    """
    before, now = _sessions(baseline), _sessions(candidate)
    if not before or not now:
        side = "the candidate" if before else "the baseline"
        return Decision(verdict="inconclusive", reason=f"{side} has no run with requests")
    found = _compare(before, now, paired=paired)
    share_before, share_now = _share(before), _share(now)
    seen = f"{percent(share_now)} of requests stalled, before {percent(share_before)}"
    limit = f"{100 * min_excess:g} percentage points over it"
    change = share_now / share_before - 1 if share_before else (0.0 if share_now == 0 else None)
    if share_now - share_before <= min_excess:
        shows = max(found.share_that_shows(alpha), share_before + min_excess)
        reason = f"{seen}: not more than {limit}; a share of {percent(shows)} would have shown"
        return Decision(verdict="pass", reason=reason, change=change)
    if found.root_excess - t_upper(alpha, found.df) * found.se > 0:
        reason = f"{seen}: more than {limit}, and more than differs between runs by chance"
        return Decision(verdict="regressed", reason=reason, change=change)
    reason = f"{seen}: more, but not more than differs between runs by chance"
    return Decision(verdict="inconclusive", reason=reason, change=change, more_runs_help=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RootDifference:
    """Two sides compared as Freeman-Tukey roots of the counts that runs of `n_typical` requests would
    have."""

    root_before: float
    root_excess: float
    se: float
    df: float
    n_typical: float

    def share_that_shows(self, alpha: float) -> float:
        """The share of stalls that the test finds with probability 95 %."""
        root = self.root_before + (t_upper(alpha, self.df) + t_upper(0.05, self.df)) * self.se
        return min(1.0, ((root - 1 / root) / 2) ** 2 / self.n_typical)  # root(k) = x solved for k


def _compare(before: Sequence[StallSession], now: Sequence[StallSession], *, paired: bool) -> _RootDifference:
    """Sessions weigh the same, as in the gate of the metrics, and so do the two parts of the uncertainty."""
    n_typical = mean([n for session in (*before, *now) for _, n in session])
    roots_before, roots_now = (
        [[_root(run, n_typical) for run in session] for session in side] for side in (before, now)
    )
    nu = sum(len(roots) - 1 for roots in (*roots_before, *roots_now))
    ss = math.fsum(sum_of_squares(roots) for roots in (*roots_before, *roots_now))
    run_df = PRIOR_DF + nu
    run_variance = (PRIOR_DF * CHANCE + ss) / run_df
    run_part = run_variance * (per_session(roots_before) + per_session(roots_now))
    tau, tau_df = (0.0, math.inf) if paired else _session_variance(roots_before, run_variance)
    session_part = tau * (1 / len(before) + 1 / len(now))
    middle_before = mean([mean(roots) for roots in roots_before])
    return _RootDifference(
        root_before=middle_before,
        root_excess=mean([mean(roots) for roots in roots_now]) - middle_before,
        se=math.sqrt(run_part + session_part),
        df=satterthwaite((run_part, run_df), (session_part, tau_df)),
        n_typical=n_typical,
    )


def _session_variance(sessions: Sequence[Sequence[float]], run_variance: float) -> tuple[float, float]:
    """Variance of session means of roots beyond what runs explain, moderated by a prior, and its df."""
    seen, n_sessions = 0.0, len(sessions)
    if n_sessions > 1:
        means = [mean(roots) for roots in sessions]
        explained = run_variance * mean([1 / len(roots) for roots in sessions])
        seen = max(0.0, sum_of_squares(means) / (n_sessions - 1) - explained)
    prior_df = 8 if n_sessions < 3 else 4
    df = prior_df + n_sessions - 1
    return (prior_df * PRIOR_SESSION_SD**2 + (n_sessions - 1) * seen) / df, df


def _root(run: Stalls, n_typical: float) -> float:
    """Freeman-Tukey root of the run's count, carried over to a run of typical length.

    The count is carried over, not the root: no stall at all is then the same 1.0 for runs of any length.
    """
    k = run[0] * n_typical / run[1]
    return math.sqrt(k) + math.sqrt(k + 1)


def _sessions(side: Sequence[StallSession]) -> list[StallSession]:
    for stalled, n in (run for session in side for run in session):
        if not 0 <= stalled <= n:
            raise ValueError(f"stalls cannot be judged: a run with {stalled} stalled of {n} requests")
    counted = [[run for run in session if run[1] > 0] for session in side]
    return [session for session in counted if session]


def _share(side: Sequence[StallSession]) -> float:
    runs = [run for session in side for run in session]
    return sum(k for k, _ in runs) / sum(n for _, n in runs)
