"""A second session before a red verdict.

One session in thirty is an incident of its own (a neighbour, a cold node, a bad boot), and no number of runs
within it can tell that from a regression. A second session can: in simulation it takes the false alarms of
incidents from 2.4 % to 0.2 % (row 4 of tests/judge/figures_in_full.py). It is more data under the same error
budget: both sessions together must pass the same gate that one alone had to, so that a second session can take a red
verdict back but never bring one about.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_aiperf.judge.difference import ratio_minus_one
from pytest_aiperf.judge.gate import compare, judge, settle
from pytest_aiperf.judge.holm import judge_metrics
from pytest_aiperf.judge.reason import signed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_aiperf.judge.holm import MetricSamples
    from pytest_aiperf.judge.samples import Decision, Policy, Session


def confirm(
    baseline: Sequence[Session],
    first: Session,
    second: Session,
    policy: Policy,
    look: int = 0,
    *,
    alpha_share: float = 1.0,
) -> Decision:
    """Decide with a second session about a metric that the first one called regressed.

    Regressed only if the gate says so over both sessions, and the second by itself is worse by more than half
    the tolerance. Otherwise inconclusive: the sessions disagree.

    Raises:
        ConfigurationError: `look` is not one of the policy's looks.
    """
    together = judge(baseline, [first, second], policy, look, alpha_share=alpha_share)
    return _confirmed(together, baseline, second, policy)


def confirm_metrics(
    samples: Mapping[str, MetricSamples], second: Mapping[str, Session], look: int = 0
) -> dict[str, Decision]:
    """Decide with a second session about a whole test: :func:`confirm` for its metrics that regressed.

    Args:
        samples: both sides of every judged metric, with the first session as the only one of the candidate.
        second: the runs of the second session, by metric; a metric that is missing there has no runs.
        look: the look at which the first session was called regressed.

    Returns:
        By metric: what the second session makes of it where it had regressed, else the first decision.

    Raises:
        ConfigurationError: `look` is not one of a policy's looks.
    """
    again = {name: second.get(name, ()) for name in samples}
    both = {name: replace(one, candidate=[*one.candidate, again[name]]) for name, one in samples.items()}
    first_decisions, together = judge_metrics(samples, look), judge_metrics(both, look)
    return {
        name: _confirmed(together[name], one.baseline, again[name], one.policy)
        if first_decisions[name].verdict == "regressed"
        else first_decisions[name]
        for name, one in samples.items()
    }


def _confirmed(together: Decision, baseline: Sequence[Session], second: Session, policy: Policy) -> Decision:
    settled = settle(baseline, [second], policy)
    if settled is not None:
        return _by_settled(together, settled)
    found = compare(baseline, [second], policy)
    sign = 1.0 if policy.direction == "lower" else -1.0
    own = f"the second session by itself {signed(ratio_minus_one(sign * found.log_change))}"
    if together.verdict == "regressed" and found.log_change > found.log_tolerance / 2:
        return replace(together, reason=f"{together.reason}, in two sessions ({own})")
    return _disagree(together, own)


def _by_settled(together: Decision, second: Decision) -> Decision:
    """The second session has nothing to compare, or is settled by a value of zero."""
    if together.verdict == second.verdict == "regressed":
        return together
    return _disagree(together, f"of the second session: {second.reason}")


def _disagree(together: Decision, own: str) -> Decision:
    reason = f"sessions disagree: both together {together.reason}; {own}"
    return replace(together, verdict="inconclusive", reason=reason, improved=False, more_runs_help=False)
