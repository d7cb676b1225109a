"""The gate: is the candidate worse than the baseline, by more than the tolerance and by more than noise?

The unit of replication is the run, and above it the session; requests of one run share queue, batch and
clock and are never counted as evidence of their own. There are three answers to the question, not two.
Rejected: Mann-Whitney over pooled requests, which calls 14 (noisy) to 23 % (quiet) of identical servers slower,
and Welch's t-test on run values, which keeps its level but finds a slowdown of 10 % in 24 to 62 % only (row 8
of tests/judge/figures_in_full.py); a threshold on the point estimate, which knows no noise at all.

Pure: no clock, no random numbers, no I/O. The same values give the same decision, byte for byte.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.judge.difference import Difference, difference, ratio_minus_one
from pytest_aiperf.judge.futility import WORTH_TRYING, chance_to_settle
from pytest_aiperf.judge.reason import reason_for
from pytest_aiperf.judge.samples import Decision, Policy, Session, Verdict
from pytest_aiperf.judge.usable import n_runs, stated_values, usable_sessions, what_is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence


def judge(
    baseline: Sequence[Session],
    candidate: Sequence[Session],
    policy: Policy,
    look: int = 0,
    *,
    alpha_share: float = 1.0,
) -> Decision:
    """Judge one metric.

    Args:
        baseline: accepted sessions, each a sequence of runs; none at all gives ``no_baseline``.
        candidate: the sessions under test.
        policy: tolerance, direction and how the two sides relate.
        look: which of the planned looks at the growing candidate this is; it picks the error budget.
        alpha_share: the part of the look's ``alpha_fail`` that this metric may spend (Holm's step-down, see
            :mod:`pytest_aiperf.judge.holm`). ``alpha_pass`` is not divided: a test passes only when all its
            metrics do, so that a wrong pass has to happen to the one metric that regressed.

    Raises:
        ConfigurationError: `look` is not one of the policy's looks.
    """
    alpha_fail(policy, look)
    settled = settle(baseline, candidate, policy)
    if settled is not None:
        return settled
    return decide(compare(baseline, candidate, policy), policy, look, alpha_share=alpha_share)


def compare(baseline: Sequence[Session], candidate: Sequence[Session], policy: Policy) -> Difference:
    """Estimate the difference from the usable runs; only where :func:`settle` says nothing."""
    before, now = usable_sessions(baseline, policy), usable_sessions(candidate, policy)
    n_dropped = n_runs(baseline) + n_runs(candidate) - n_runs(before) - n_runs(now)
    return replace(difference(before, now, policy), n_dropped=n_dropped)


def decide(found: Difference, policy: Policy, look: int, *, alpha_share: float = 1.0) -> Decision:
    """Turn an estimated difference into a decision."""
    alpha = alpha_fail(policy, look) * alpha_share
    verdict = _verdict(found, policy, alpha_fail=alpha, alpha_pass=policy.alpha_pass[look])
    low, high = found.lower(0.025), found.upper(0.025)
    improved = verdict == "pass" and high < 0 and found.log_change < -found.log_tolerance
    sign = 1.0 if policy.direction == "lower" else -1.0
    change = ratio_minus_one(sign * found.log_change)
    ends = sorted((ratio_minus_one(sign * low), ratio_minus_one(sign * high)))
    mde = found.detectable(alpha, strict=policy.strict)
    return Decision(
        verdict=verdict,
        reason=reason_for(
            verdict,
            change=change,
            ci95=(ends[0], ends[1]),
            tolerance=ratio_minus_one(found.log_tolerance),
            mde=mde,
            improved=improved,
            beyond_tolerance=found.log_change > found.log_tolerance,
            n_dropped=found.n_dropped,
        ),
        change=change,
        ci95=(ends[0], ends[1]),
        se=found.se,
        df=found.df if math.isfinite(found.df) else None,
        mde=mde,
        improved=improved,
        more_runs_help=verdict == "inconclusive"
        and chance_to_settle(found, policy, alpha_share=alpha_share) >= WORTH_TRYING,
    )


def _verdict(found: Difference, policy: Policy, *, alpha_fail: float, alpha_pass: float) -> Verdict:
    must_clear = found.log_tolerance if policy.strict else 0.0
    if found.lower(alpha_fail) > must_clear and found.log_change > found.log_tolerance:
        return "regressed"
    if found.upper(alpha_pass) < found.log_tolerance:
        return "pass"
    return "inconclusive"


def settle(baseline: Sequence[Session], candidate: Sequence[Session], policy: Policy) -> Decision | None:
    """Decide what needs no statistics: an empty side, and values of zero. None means: go on and compare."""
    if not baseline:
        return Decision(verdict="no_baseline", reason="there is no stored baseline to compare with")
    before, now = stated_values(baseline, policy), stated_values(candidate, policy)
    if before and now and not any(before + now):
        return Decision(verdict="pass", reason="0 in every run of both sides", change=0.0)
    if before and now and not (any(before) and any(now)):
        return _zero_on_one_side(sum(before) / len(before), sum(now) / len(now), policy)
    sides = (("the baseline", baseline), ("the candidate", candidate))
    missing = [
        what_is_missing(side, policy, name) for name, side in sides if not usable_sessions(side, policy)
    ]
    return Decision(verdict="inconclusive", reason="; ".join(missing)) if missing else None


def _zero_on_one_side(before: float, now: float, policy: Policy) -> Decision:
    """No ratio can be formed: only the absolute floor speaks, and beyond it only a metric without noise."""
    worse_by = now - before if policy.direction == "lower" else before - now
    seen = f"{before:g} in the baseline and {now:g} now"
    if abs(worse_by) <= policy.floor:
        return Decision(verdict="pass", reason=f"{seen}: within the absolute tolerance of {policy.floor:g}")
    if not policy.deterministic:
        return Decision(
            verdict="inconclusive", reason=f"{seen}: no ratio can be formed with 0; assert an absolute limit"
        )
    if worse_by > 0:
        return Decision(
            verdict="regressed", reason=f"{seen}: worse by more than the tolerance of {policy.floor:g}"
        )
    return Decision(verdict="pass", reason=f"{seen}: better", improved=True)


def alpha_fail(policy: Policy, look: int) -> float:
    """The look's share of false alarms.

    Raises:
        ConfigurationError: `look` is not one of the policy's looks.
    """
    n_looks = len(policy.looks)
    if not n_looks == len(policy.alpha_fail) == len(policy.alpha_pass):
        raise ConfigurationError(
            f"a policy needs one alpha_fail and one alpha_pass per look: {n_looks} looks, "
            f"{len(policy.alpha_fail)} alpha_fail, {len(policy.alpha_pass)} alpha_pass"
        )
    if not 0 <= look < n_looks:
        raise ConfigurationError(f"look {look} of a policy with {n_looks} looks; use 0 to {n_looks - 1}")
    return policy.alpha_fail[look]
