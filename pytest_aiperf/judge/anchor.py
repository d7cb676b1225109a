"""The pinned session, compared by itself: what catches a creep.

Sessions are appended and averaged, so a server that gets 1 % slower with each accepted change drags its baseline
along, and may never leave the tolerance about the mean. The first session of a level does not move. So each metric is
judged a second time against that one alone, with the same tolerance and at the same looks.

How much sessions differ must be known for it, and neither of the obvious figures will do. The prior alone would throw
away what the baseline's sessions show. Their ordinary variance takes a creep for noise: ten sessions, each 1 % slower,
have an sd of 3 %, and the creep would hide itself. The mean squared difference of *successive* sessions (von Neumann,
Kent, Bellinson and Hart 1941, "The mean square successive difference", Ann. Math. Statist. 12, p. 153) estimates the
same variance and hardly notices a slow drift: steps of 1 % make an sd of 1 % look like one of 1.2 %, however many there
are. The anchor takes no part in it, because old sessions are dropped and it is not: what lies between it and the next
one kept may be many steps.

Both comparisons of all metrics are one family of hypotheses for Holm, so that the test keeps its budget of false
alarms. What that costs a slowdown that comes at once is played in ``tests/judge/creep_figures.py``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_aiperf.judge.reason import moved, signed
from pytest_aiperf.judge.usable import usable_sessions
from pytest_aiperf.judge.variance import Variance, log_values, mean, run_variance, session_variance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_aiperf.judge.holm import MetricSamples
    from pytest_aiperf.judge.samples import Decision, Policy, RunStat, Session


def anchored(metric: str) -> str:
    """The name of a metric's second hypothesis, the comparison with the anchor alone."""
    return f"{metric} since the anchor"


def with_anchor(samples: Mapping[str, MetricSamples]) -> dict[str, MetricSamples]:
    """Add to each metric its comparison with the anchor alone, under the name that :func:`anchored` gives it.

    There is none where both sides were measured now, and none with a single session, which is the anchor already.
    """
    alone = {
        anchored(name): replace(one, baseline=one.baseline[:1], policy=_creep_proof(one.baseline, one.policy))
        for name, one in samples.items()
        if len(one.baseline) > 1 and one.policy.relation != "paired"
    }
    return {**samples, **alone}


def amount_to(decisions: Mapping[str, Decision]) -> dict[str, Decision]:
    """What both comparisons of each metric amount to: that with the baseline, unless only the anchor's has regressed.

    An anchor's comparison makes a verdict red and does nothing else: one session is too little to ask for more runs, or
    to call a test inconclusive that its whole baseline has settled.
    """
    names = [name for name in decisions if anchored(name) in decisions]
    creeping = {
        name: decisions[anchored(name)]
        for name in names
        if decisions[anchored(name)].verdict == "regressed" != decisions[name].verdict
    }
    seconds = {anchored(name) for name in names}
    return {name: creeping.get(name, one) for name, one in decisions.items() if name not in seconds}


def since(decision: Decision, day: str, *, in_small_steps: bool) -> Decision:
    """Word an anchor's decision: the change is one since that day, and no single check may have seen it."""
    begun = f"since the anchor of {day}"
    if decision.change is None:
        return replace(decision, reason=f"{begun}: {decision.reason}")
    seen = f"{signed(decision.change)} {begun}{', in small steps' if in_small_steps else ''}"
    return replace(decision, reason=decision.reason.replace(moved(decision.change), seen))


def _creep_proof(baseline: Sequence[Session], policy: Policy) -> Policy:
    """The policy with what successive sessions show of how much sessions differ, moderated by the prior.

    The prior weighs what it weighs in the gate with as many sessions.
    """
    usable, later = usable_sessions(baseline, policy), usable_sessions(baseline[1:], policy)
    if len(later) < 2:
        return policy
    run = run_variance(usable, policy)
    prior, seen = session_variance(usable[:1], run, policy).value, successive_variance(later, run)
    weight = session_variance(usable, run, policy).df - (len(usable) - 1)
    df = weight + seen.df
    return replace(policy, tau=math.sqrt((weight * prior + seen.df * seen.value) / df), tau_df=df)


def successive_variance(sessions: Sequence[Sequence[RunStat]], run: Variance) -> Variance:
    """Variance of session means beyond what their runs explain, from successive differences; two sessions at least.

    The degrees of freedom are those of the chi-square with the same mean and variance: the estimate of n independent
    normal values has the variance (3n - 4) / (n - 1)² in units of their own variance squared (von Neumann and others,
    as above).
    """
    means = [mean(log_values(runs)) for runs in sessions]
    n = len(means)
    half_mean_square = math.fsum((after - before) ** 2 for before, after in pairwise(means)) / (n - 1) / 2
    explained = run.value * mean([1 / len(runs) for runs in sessions])
    return Variance(value=max(0.0, half_mean_square - explained), df=2 * (n - 1) ** 2 / (3 * n - 4))
