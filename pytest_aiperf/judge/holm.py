"""Several metrics of one test, judged together without more false alarms than one.

Holm's step-down (1979, "A simple sequentially rejective multiple test procedure") valid under any
dependence, which matters because the metrics of a test come from the same requests. The gate works with
bounds, Holm with p-values; they meet like this. "LB > 0 at alpha" says the same as "the one-sided p-value of
d > 0 is below alpha". So the metrics are ordered by that p-value, in units of their own alpha. The strongest
is judged with alpha / m, and its bound is the confidence bound at that level. If the bound clears zero, one
hypothesis is out of the way and the next is judged with alpha / (m - 1), and so on. At the first bound that
does not clear zero the step-down ends: the rest have larger p-values and are judged at that same level, where
they cannot clear zero either. In strict mode it is the tolerance that has to be cleared, and the p-value is
that of d > tolerance.

Clearing zero and staying within the tolerance spends no share: that hypothesis was rejected, there is just
nothing to report. Metrics that are settled without statistics (a side is empty, zero throughout) test nothing
and do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_aiperf.judge.gate import alpha_fail, compare, decide, settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_aiperf.judge.difference import Difference
    from pytest_aiperf.judge.samples import Decision, Policy, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSamples:
    """Both sides of one metric, and how to judge it."""

    baseline: Sequence[Session]
    candidate: Sequence[Session]
    policy: Policy


def judge_metrics(samples: Mapping[str, MetricSamples], look: int = 0) -> dict[str, Decision]:
    """Judge all metrics of one test at one look, in the order in which they were given.

    Raises:
        ConfigurationError: `look` is not one of a policy's looks.
    """
    settled = {name: settle(one.baseline, one.candidate, one.policy) for name, one in samples.items()}
    found = {name: _compare(samples[name]) for name, decision in settled.items() if decision is None}
    shares = holm_shares({name: _p_value(found[name], samples[name].policy, look) for name in found})
    return {
        name: settled_decision or decide(found[name], samples[name].policy, look, alpha_share=shares[name])
        for name, settled_decision in settled.items()
    }


def holm_shares(p_values: Mapping[str, float]) -> dict[str, float]:
    """The share of alpha with which each hypothesis is tested; p-values in units of their own alpha.

    Equal p-values (two of 0, say) go by name, so that no share depends on the order of the metrics.
    """
    shares: dict[str, float] = {}
    remaining = len(p_values)
    for name in sorted(p_values, key=lambda name: (p_values[name], name)):
        shares[name] = 1 / remaining
        if p_values[name] < 1 / remaining:
            remaining -= 1
    return shares


def _compare(one: MetricSamples) -> Difference:
    return compare(one.baseline, one.candidate, one.policy)


def _p_value(found: Difference, policy: Policy, look: int) -> float:
    limit = found.log_tolerance if policy.strict else 0.0
    return found.p_worse_than(limit) / alpha_fail(policy, look)
