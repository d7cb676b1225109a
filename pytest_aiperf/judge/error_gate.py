"""Do more requests fail than before? A gate of its own: latency looks better when the slow ones time out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaln

from pytest_aiperf.judge.reason import percent
from pytest_aiperf.judge.samples import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Totals = tuple[int, int]
"""Requests that succeeded and requests that failed, over all runs of a side: (n_ok, n_err)."""


def judge_errors(
    baseline: Totals, candidate: Totals, *, alpha: float = 0.01, min_excess: float = 0.005
) -> Decision:
    """Judge the share of failed requests.

    Regressed when the one-sided exact test of Fisher is below `alpha` and the share is more than `min_excess`
    (a difference of shares: 0.005 is half a percentage point) above the baseline's. An excess of that size
    that chance could explain is inconclusive; no larger excess is a pass.

    Raises:
        ValueError: a count is negative or not a number.
    """
    for n_ok, n_err in (baseline, candidate):
        if not (n_ok >= 0 and n_err >= 0):
            raise ValueError(
                f"failed requests cannot be judged: counts of {n_ok} good and {n_err} failed ones"
            )
    if min(sum(baseline), sum(candidate)) == 0:
        side = "the baseline" if sum(baseline) == 0 else "the candidate"
        return Decision(verdict="inconclusive", reason=f"{side} has no requests")
    before, now = baseline[1] / sum(baseline), candidate[1] / sum(candidate)
    seen = f"{_worded(candidate)} ({percent(now)}), before {_worded(baseline)}"
    change = now / before - 1 if before else (0.0 if now == 0 else None)
    if now - before <= min_excess:
        reason = f"{seen}: not more than {100 * min_excess:g} percentage points over the baseline"
        return Decision(verdict="pass", reason=reason, change=change)
    p_value = fisher_upper(baseline, candidate)
    if p_value < alpha:
        reason = f"{seen}: chance alone would do that in {p_value:.2g} of cases, less than {alpha:g}"
        return Decision(verdict="regressed", reason=reason, change=change)
    reason = f"{seen}: chance alone would do that in {p_value:.2g} of cases, too many to call it worse"
    return Decision(verdict="inconclusive", reason=reason, change=change, more_runs_help=True)


def _worded(side: Totals) -> str:
    return f"{side[1]} of {sum(side)} failed"


def error_totals(sessions: Sequence[Sequence[tuple[int, int]]]) -> Totals:
    """Add up (n_ok, n_err) of the runs of a side."""
    return (
        sum(n_ok for session in sessions for n_ok, _ in session),
        sum(n_err for session in sessions for _, n_err in session),
    )


def fisher_upper(baseline: Totals, candidate: Totals) -> float:
    """One-sided exact p-value: so many failures of the candidate or more, were both sides the same.

    The upper tail of the hypergeometric distribution with all margins fixed, summed from logarithms: the
    share of ways to place all failures that put at least this many into the candidate.
    """
    n_now, n_before = sum(candidate), sum(baseline)
    n_failed = baseline[1] + candidate[1]
    failed_now = np.arange(candidate[1], min(n_failed, n_now) + 1, dtype=np.float64)
    ways = _log_choose(n_now, failed_now) + _log_choose(n_before, n_failed - failed_now)
    all_ways = _log_choose(n_now + n_before, np.array([float(n_failed)]))
    return min(1.0, float(np.exp(ways - all_ways).sum()))


def _log_choose(n: int, k: NDArray[np.float64]) -> NDArray[np.float64]:
    """log of the binomial coefficient, through log B(k + 1, n - k + 1), which does not cancel for large n."""
    return np.asarray(-betaln(k + 1, n - k + 1) - np.log1p(n), dtype=np.float64)
