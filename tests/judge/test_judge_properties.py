"""What must hold of the gate whatever the numbers are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.judge import Policy, RunStat, judge, judge_metrics
from pytest_aiperf.judge.holm import MetricSamples

TOLERANCE = 0.0517
"""Not 0.05: hypothesis likes 20 and 21, and the exact tolerance is decided by the last bit."""
policies = st.builds(
    Policy,
    tolerance=st.just(TOLERANCE),
    relation=st.sampled_from(["paired", "same_host", "same_part"]),
    direction=st.sampled_from(["lower", "higher"]),
    strict=st.booleans(),
)
runs = st.builds(
    RunStat,
    st.floats(50.0, 200.0),
    st.just(200),
    st.one_of(st.none(), st.floats(0.0, 0.01)),
)
sessions = st.lists(runs, min_size=1, max_size=6)
sides = st.lists(sessions, min_size=1, max_size=4)
fast = settings(max_examples=150, deadline=None, derandomize=True)


def scaled(side, factor):
    return [[replace(run, value=run.value * factor) for run in session] for session in side]


@fast
@given(sides, sides, policies, st.floats(1e-3, 1e3))
def test_another_unit_changes_nothing(baseline, candidate, policy, factor):
    one = judge(baseline, candidate, policy)
    other = judge(scaled(baseline, factor), scaled(candidate, factor), policy)
    assert other.verdict == one.verdict
    assert (other.change, other.se, other.mde) == pytest.approx(
        (one.change, one.se, one.mde), rel=1e-6, abs=1e-9
    )


@fast
@given(sides, sides, policies)
def test_the_reciprocal_metric_in_the_other_direction_gives_the_mirrored_answer(baseline, candidate, policy):
    mirrored = replace(policy, direction="higher" if policy.direction == "lower" else "lower")
    one = judge(baseline, candidate, policy)
    other = judge(_reciprocal(baseline), _reciprocal(candidate), mirrored)
    assert (other.verdict, other.improved) == (one.verdict, one.improved)
    assert 1 + other.change == pytest.approx(1 / (1 + one.change))
    assert other.mde == pytest.approx(one.mde)


def _reciprocal(side):
    return [[replace(run, value=1 / run.value) for run in session] for session in side]


@fast
@given(sides, sessions, policies, st.floats(1.0, 3.0), st.integers(0, 2))
def test_a_worse_run_more_never_turns_regressed_into_pass(baseline, candidate, policy, times_worse, look):
    values = [run.value for run in candidate]
    worse = max(values) * times_worse if policy.direction == "lower" else min(values) / times_worse
    before = judge(baseline, [candidate], policy, look)
    after = judge(baseline, [[*candidate, RunStat(worse, 200)]], policy, look)
    assert (before.verdict, after.verdict) != ("regressed", "pass")


@fast
@given(sides, sides, policies, st.floats(1.0, 2.0))
def test_a_worse_candidate_is_never_judged_better(baseline, candidate, policy, times_worse):
    order = ["pass", "inconclusive", "regressed"]
    factor = times_worse if policy.direction == "lower" else 1 / times_worse
    before = judge(baseline, candidate, policy)
    after = judge(baseline, scaled(candidate, factor), policy)
    assert order.index(after.verdict) >= order.index(before.verdict)


@fast
@given(sides, sides, policies)
def test_the_figures_fit_together(baseline, candidate, policy):
    decision = judge(baseline, candidate, policy)
    low, high = decision.ci95
    assert low <= decision.change <= high
    assert decision.se > 0
    assert decision.df > 0
    assert decision.mde > policy.tolerance
    assert not (decision.improved and decision.verdict != "pass")
    assert decision.verdict == "inconclusive" or not decision.more_runs_help


@fast
@given(sides, policies)
def test_a_side_is_never_worse_than_itself(side, policy):
    assert judge(side, side, policy).verdict != "regressed"


@fast
@given(st.lists(st.tuples(sides, sides, policies), min_size=1, max_size=5), st.integers(0, 2))
def test_holm_only_ever_takes_a_regression_back_and_never_below_bonferroni(metrics, look):
    samples = {
        str(i): MetricSamples(baseline=baseline, candidate=candidate, policy=policy)
        for i, (baseline, candidate, policy) in enumerate(metrics)
    }
    together = judge_metrics(samples, look)
    for name, one in samples.items():
        alone = judge(one.baseline, one.candidate, one.policy, look)
        bonferroni = judge(one.baseline, one.candidate, one.policy, look, alpha_share=1 / len(samples))
        assert together[name].change == alone.change
        if together[name].verdict == "regressed":
            assert alone.verdict == "regressed"
        if bonferroni.verdict == "regressed":
            assert together[name].verdict == "regressed"
