"""Several metrics of one test."""

from __future__ import annotations

import pytest

from pytest_aiperf.judge import MetricSamples, Policy, RunStat, judge, judge_metrics
from pytest_aiperf.judge.holm import holm_shares

PAIRED = Policy(relation="paired")


def session(*values):
    return [RunStat(value, 200, 1e-4) for value in values]


STEADY = [session(100.0, 101.0, 99.0, 100.5, 99.5)]


def samples(*values, policy=PAIRED, baseline=STEADY):
    return MetricSamples(baseline=baseline, candidate=[session(*values)], policy=policy)


def test_the_strongest_evidence_gets_the_smallest_share():
    assert holm_shares({"a": 0.2, "b": 0.001, "c": 0.4}) == {"b": 1 / 3, "a": 1 / 2, "c": 1}


def test_the_first_that_is_not_rejected_ends_the_step_down():
    assert holm_shares({"a": 0.2, "b": 0.9, "c": 0.6, "d": 5.0}) == {
        "a": 1 / 4,
        "c": 1 / 3,
        "b": 1 / 3,
        "d": 1 / 3,
    }


def test_one_metric_is_judged_as_if_alone():
    one = samples(107.0, 108.0, 106.0)
    assert judge_metrics({"ttft": one})["ttft"] == judge(one.baseline, one.candidate, PAIRED)


WEAK = (102.0, 112.0, 107.0)
"""Regressed when judged alone, not with half of the alpha."""


def test_weak_evidence_among_unchanged_metrics_is_not_enough():
    weak = samples(*WEAK)
    assert judge(weak.baseline, weak.candidate, PAIRED).verdict == "regressed"
    decisions = judge_metrics(
        {"a": samples(100.0, 101.0, 99.0), "weak": weak, "b": samples(99.0, 100.0, 101.0)}
    )
    assert decisions["weak"].verdict == "inconclusive"
    assert list(decisions) == ["a", "weak", "b"]


def test_weak_evidence_beside_strong_evidence_is_enough():
    strong = samples(140.0, 141.0, 139.0)
    decisions = judge_metrics(
        {"weak": samples(*WEAK), "strong": strong, "stronger": samples(190.0, 191.0, 189.0)}
    )
    assert {decision.verdict for decision in decisions.values()} == {"regressed"}


def test_metrics_that_are_settled_without_statistics_take_no_share():
    zero, no_baseline = samples(0.0, baseline=[session(0.0)]), samples(100.0, baseline=[])
    decisions = judge_metrics({"zero": zero, "new": no_baseline, "weak": samples(*WEAK)})
    assert [decision.verdict for decision in decisions.values()] == ["pass", "no_baseline", "regressed"]


def test_strict_metrics_step_down_on_their_own_hypothesis():
    strict = Policy(relation="paired", strict=True)
    slower_within_tolerance = samples(104.0, 104.1, 103.9, policy=strict)
    decisions = judge_metrics({"within": slower_within_tolerance, "weak": samples(*WEAK)})
    assert decisions["weak"].verdict == "inconclusive"
    assert (
        judge_metrics({"within": samples(104.0, 104.1, 103.9), "weak": samples(*WEAK)})["weak"].verdict
        == "regressed"
    )


@pytest.mark.parametrize("look", [0, 1, 2])
def test_no_metrics_give_no_decisions(look):
    assert judge_metrics({}, look) == {}
