"""A second session before a red verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_aiperf.judge import MetricSamples, Policy, RunStat, confirm, confirm_metrics, judge

POLICY = Policy()


def session(*values):
    return [RunStat(value, 200, 1e-4) for value in values]


BASELINE = [session(100.0, 101.0, 99.0), session(100.2, 99.8, 101.1), session(99.0, 100.4, 100.0)]
SLOW, AS_SLOW, AS_BEFORE = (
    session(115.0, 116.0, 114.0),
    session(114.0, 113.5, 115.5),
    session(100.0, 99.5, 100.5),
)


def test_two_slow_sessions_are_a_regression():
    decision = confirm(BASELINE, SLOW, AS_SLOW, POLICY)
    assert decision.verdict == "regressed"
    assert decision.change == pytest.approx(0.147, abs=0.002)
    assert "in two sessions (the second session by itself +14.3 %)" in decision.reason


def test_a_second_session_as_before_takes_the_verdict_back():
    assert judge(BASELINE, [SLOW], POLICY).verdict == "regressed"
    decision = confirm(BASELINE, SLOW, AS_BEFORE, POLICY)
    assert decision.verdict == "inconclusive"
    assert decision.reason.startswith("sessions disagree: ")
    assert "the second session by itself -0.1 %" in decision.reason
    assert not decision.more_runs_help


def test_the_second_session_must_itself_be_worse_by_half_the_tolerance():
    huge = session(150.0, 151.0, 149.0)
    calm = replace(POLICY, relation="paired")
    assert judge(BASELINE, [huge, session(102.0, 102.1, 101.9)], calm).verdict == "regressed"
    assert confirm(BASELINE, huge, session(102.0, 102.1, 101.9), calm).verdict == "inconclusive"
    assert confirm(BASELINE, huge, session(103.0, 103.1, 102.9), calm).verdict == "regressed"


def test_a_second_session_that_is_worse_but_not_enough_for_both_confirms_nothing():
    calm = replace(POLICY, relation="paired")
    first, second = session(106.0, 106.5, 105.8), session(103.0, 103.1, 102.9)
    assert judge(BASELINE, [first], calm).verdict == "regressed"
    decision = confirm(BASELINE, first, second, calm)
    assert decision.verdict == "inconclusive"
    assert decision.reason.startswith("sessions disagree: ")


def test_throughput_is_confirmed_in_its_own_direction():
    throughput = replace(POLICY, direction="higher")
    low = session(85.0, 84.0, 86.0)
    assert confirm(BASELINE, low, session(86.0, 85.0, 84.5), throughput).verdict == "regressed"
    assert confirm(BASELINE, low, SLOW, throughput).verdict == "inconclusive"


@pytest.mark.parametrize("second", [[], session(None), session(float("nan"), float("inf"))])
def test_a_second_session_without_usable_runs_confirms_nothing(second):
    decision = confirm(BASELINE, SLOW, second, POLICY)
    assert decision.verdict == "inconclusive"
    assert "the candidate has no" in decision.reason


def test_a_metric_without_noise_that_became_nonzero_is_confirmed_by_another_nonzero():
    exact = Policy(deterministic=True)
    zero = [session(0.0, 0.0)]
    assert confirm(zero, session(3.0), session(3.0), exact).verdict == "regressed"
    assert confirm(zero, session(3.0), session(0.0), exact).verdict == "inconclusive"


def test_only_metrics_that_regressed_are_asked_again():
    samples = {
        "slow": MetricSamples(baseline=BASELINE, candidate=[SLOW], policy=POLICY),
        "incident": MetricSamples(baseline=BASELINE, candidate=[SLOW], policy=POLICY),
        "steady": MetricSamples(baseline=BASELINE, candidate=[AS_BEFORE], policy=POLICY),
        "gone": MetricSamples(baseline=BASELINE, candidate=[SLOW], policy=POLICY),
    }
    second = {"slow": AS_SLOW, "incident": AS_BEFORE, "steady": SLOW}
    decisions = confirm_metrics(samples, second)
    steady = judge(BASELINE, [AS_BEFORE], POLICY)
    assert [decision.verdict for decision in decisions.values()] == [
        "regressed",
        "inconclusive",
        steady.verdict,
        "inconclusive",
    ]
    assert steady.verdict != "regressed"
    assert list(decisions) == list(samples)
