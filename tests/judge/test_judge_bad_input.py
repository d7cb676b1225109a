"""What cannot be judged has a stated verdict or a clear error. Nothing of it passes in silence."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest

from pytest_aiperf.judge import (
    MetricSamples,
    Policy,
    RunStat,
    confirm,
    confirm_metrics,
    judge,
    judge_errors,
    judge_metrics,
    judge_stalls,
)

PAIRED = Policy(relation="paired")
NAN, INF = math.nan, math.inf


def session(*values, n_ok=200, var_within=1e-4):
    return [RunStat(value, n_ok, var_within) for value in values]


STEADY = [session(100.0, 101.0, 99.0, 100.5, 99.5)]
SAME, SLOW = session(100.0, 101.0, 99.0), session(130.0, 131.0, 129.0)
CONSTANT = session(*[100.0] * 5)

ONE_METRIC = {
    # no session, no run
    "no baseline session": ([], STEADY, "no_baseline", "no stored baseline"),
    "a baseline session without runs": ([[]], STEADY, "inconclusive", "the baseline has no runs"),
    "no candidate session": (STEADY, [], "inconclusive", "the candidate has no runs"),
    "a candidate session without runs": (STEADY, [[]], "inconclusive", "the candidate has no runs"),
    "no run on either side": (
        [[]],
        [[]],
        "inconclusive",
        "the baseline has no runs; the candidate has no runs",
    ),
    # one run
    "one run each, equal": ([session(100.0)], [session(100.0)], "inconclusive", "the same as the baseline"),
    "one run each, twice as slow": ([session(100.0)], [session(200.0)], "regressed", "100 % higher"),
    "one run against many": (STEADY, [session(130.0)], "regressed", "30 % higher"),
    "one run against many, equal": (STEADY, [session(100.0)], "pass", "% would have shown"),
    # missing
    "values missing in all runs": (
        STEADY,
        [session(None, None)],
        "inconclusive",
        "among 2: 2 without a value",
    ),
    "missing in one run": (STEADY, [session(99.0, None, 101.0, 100.0)], "pass", "1 run was not usable"),
    "missing in one run of a slow one": (
        STEADY,
        [session(130.0, None, 131.0)],
        "regressed",
        "1 run was not usable",
    ),
    "missing in the baseline": (
        [session(None)],
        STEADY,
        "inconclusive",
        "the baseline has no usable run among 1",
    ),
    "too few requests": (STEADY, [session(100.0, n_ok=19)], "inconclusive", "1 with fewer than 20 requests"),
    "a negative count of requests": (
        STEADY,
        [session(100.0, n_ok=-1)],
        "inconclusive",
        "1 with fewer than 20",
    ),
    "just enough requests": (STEADY, [session(130.0, n_ok=20)], "regressed", "30 % higher"),
    # extra
    "more runs than the look plans": (STEADY, [session(*[130.0, 131.0] * 6)], "regressed", "higher"),
    "more sessions than one": (STEADY, [SAME, SAME, SAME], "pass", "no worse than"),
    # zero
    "zero on both sides": ([session(0.0)], [session(0.0, 0.0)], "pass", "0 in every run"),
    "zero in the baseline": ([session(0.0)], [session(3.0)], "inconclusive", "0 in the baseline and 3 now"),
    "zero in the candidate": ([session(3.0)], [session(0.0)], "inconclusive", "3 in the baseline and 0 now"),
    "zero in one run": (STEADY, [session(130.0, 0.0, 131.0)], "regressed", "1 run was not usable"),
    # negative, NaN, infinite
    "negative": (STEADY, [session(-3.0)], "inconclusive", "1 with a negative value"),
    "NaN": (STEADY, [session(NAN)], "inconclusive", "1 without a value"),
    "infinite": (STEADY, [session(INF)], "inconclusive", "1 with an infinite value (too many failed"),
    "minus infinite": (STEADY, [session(-INF)], "inconclusive", "1 with an infinite value"),
    "a NaN, a negative and an infinite": (
        STEADY,
        [session(NAN, -1.0, INF)],
        "inconclusive",
        "1 without a value, 1 with a negative",
    ),
    "some unusable among good ones": (
        STEADY,
        [session(99.0, INF, -1.0, 101.0, 100.0)],
        "pass",
        "2 runs were not",
    ),
    "NaN in the baseline": (
        [session(NAN, NAN)],
        STEADY,
        "inconclusive",
        "the baseline has no usable run among 2",
    ),
    # constant
    "constant and equal": ([CONSTANT], [CONSTANT[:3]], "pass", "the same as the baseline"),
    "constant and slower": ([CONSTANT], [session(*[110.0] * 3)], "regressed", "10 % higher"),
    # length
    "sessions of different length": (
        [*STEADY, session(100.0), []],
        [session(121.0, 119.0)],
        "regressed",
        "20 %",
    ),
    # the runs' own variance
    "var_within missing everywhere": (
        [session(100.0, 101.0, 99.0, var_within=None)],
        [session(120.0, 121.0, 119.0, var_within=None)],
        "regressed",
        "20 % higher",
    ),
    "var_within that is no variance": (
        [session(100.0, 101.0, 99.0, var_within=NAN)],
        [session(120.0, 121.0, 119.0, var_within=-1.0)],
        "regressed",
        "20 % higher",
    ),
    "var_within infinite": (
        [session(100.0, 101.0, 99.0, var_within=INF)],
        [session(120.0, 121.0, 119.0, var_within=INF)],
        "regressed",
        "20 % higher",
    ),
    "the ends of the range": ([session(5e-324)], [session(1.7e308)], "regressed", "higher"),
}
one_metric = pytest.mark.parametrize(
    ("baseline", "candidate", "verdict", "reason"), ONE_METRIC.values(), ids=ONE_METRIC
)


@one_metric
def test_one_metric(baseline, candidate, verdict, reason):
    decision = judge(baseline, candidate, PAIRED)
    assert decision.verdict == verdict
    assert reason in decision.reason
    json.dumps(asdict(decision), allow_nan=False)


@one_metric
def test_a_metric_among_others(baseline, candidate, verdict, reason):
    """It has the same verdict, and takes nothing from the others."""
    samples = {
        "bad": MetricSamples(baseline=baseline, candidate=candidate, policy=PAIRED),
        "slow": MetricSamples(baseline=STEADY, candidate=[SLOW], policy=PAIRED),
        "same": MetricSamples(baseline=STEADY, candidate=[SAME], policy=PAIRED),
    }
    decisions = judge_metrics(samples)
    assert {name: one.verdict for name, one in decisions.items()} == {
        "bad": verdict,
        "slow": "regressed",
        "same": "pass",
    }
    assert reason in decisions["bad"].reason


UNUSABLE = {
    "no run": ([], "the candidate has no runs"),
    "missing": (session(None), "1 without a value"),
    "NaN and infinite": (session(NAN, INF), "1 without a value, 1 with an infinite value"),
    "zero": (session(0.0, 0.0), "100 in the baseline and 0 now"),
    "negative": (session(-130.0), "1 with a negative value"),
    "too few requests": (session(130.0, n_ok=3), "1 with fewer than 20 requests"),
}


@pytest.mark.parametrize(("second", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_second_session_that_says_nothing_confirms_nothing(second, reason):
    samples = {
        "bad": MetricSamples(baseline=STEADY, candidate=[SLOW], policy=PAIRED),
        "slow": MetricSamples(baseline=STEADY, candidate=[SLOW], policy=PAIRED),
    }
    decisions = confirm_metrics(samples, {"bad": second, "slow": SLOW})
    assert decisions["bad"].verdict == confirm(STEADY, SLOW, second, PAIRED).verdict == "inconclusive"
    assert decisions["bad"].reason.startswith("sessions disagree: ")
    assert reason in decisions["bad"].reason
    assert decisions["slow"].verdict == "regressed"


CONFIRMED_BY = {
    "one run": (session(130.0), "regressed", "in two sessions"),
    "a value missing in one run": (session(130.0, None, 129.0), "regressed", "1 run was not usable, in two"),
    "constant": (session(*[130.0] * 3), "regressed", "in two sessions"),
    "longer than planned": (session(*[130.0, 131.0] * 5), "regressed", "in two sessions"),
    "one run as before": (session(100.0), "inconclusive", "sessions disagree"),
}


@pytest.mark.parametrize(("second", "verdict", "reason"), CONFIRMED_BY.values(), ids=CONFIRMED_BY)
def test_a_second_session_of_another_shape(second, verdict, reason):
    decision = confirm(STEADY, SLOW, second, PAIRED)
    assert decision.verdict == verdict
    assert reason in decision.reason


def test_a_metric_that_is_missing_in_the_second_session_or_extra_there():
    samples = {"slow": MetricSamples(baseline=STEADY, candidate=[SLOW], policy=PAIRED)}
    decisions = confirm_metrics(samples, {"another": SLOW})
    assert list(decisions) == ["slow"]
    assert decisions["slow"].verdict == "inconclusive"
    assert "the candidate has no runs" in decisions["slow"].reason


def runs(*counts, n=200):
    return [(k, n) for k in counts]


FEW = [runs(1, 0, 2, 1, 1)]
STALLS = {
    "no baseline session": ([], FEW, "inconclusive", "the baseline has no run with requests"),
    "no candidate session": (FEW, [], "inconclusive", "the candidate has no run with requests"),
    "no run": (FEW, [[]], "inconclusive", "the candidate has no run with requests"),
    "runs without requests": (
        FEW,
        [[(0, 0), (0, 0)]],
        "inconclusive",
        "the candidate has no run with requests",
    ),
    "one run each": ([runs(1)], [runs(1)], "pass", "0.5 % of requests stalled"),
    "one run each, all stalled": ([runs(1)], [runs(200)], "regressed", "100 % of requests stalled"),
    "none at all": ([runs(0, 0, 0)], [runs(0, 0, 0)], "pass", "0 % of requests stalled, before 0 %"),
    "all, on both sides": ([runs(200, 200)], [runs(200, 200)], "pass", "100 % of requests stalled"),
    "one run without requests": (FEW, [[(0, 0), *runs(8, 8, 8)]], "regressed", "4 % of requests stalled"),
    "constant": ([runs(1, 1, 1)], [runs(9, 9, 9)], "regressed", "4.5 % of requests stalled"),
    "runs and sessions of different length": (
        [runs(2, 2, n=400), runs(1)],
        [[(4, 100), (8, 200), (16, 400)]],
        "regressed",
        "4 % of requests stalled",
    ),
}


@pytest.mark.parametrize(("baseline", "candidate", "verdict", "reason"), STALLS.values(), ids=STALLS)
def test_stalls(baseline, candidate, verdict, reason):
    decision = judge_stalls(baseline, candidate)
    assert decision.verdict == verdict
    assert reason in decision.reason
    json.dumps(asdict(decision), allow_nan=False)


@pytest.mark.parametrize(
    "impossible", [(-1, 200), (201, 200), (NAN, 200), (1, NAN), (0, -5), (INF, 200)], ids=str
)
@pytest.mark.parametrize("where", ["baseline", "candidate"])
def test_stalls_that_cannot_be_are_an_error(impossible, where):
    side = [[impossible, (1, 200)]]
    with pytest.raises(ValueError, match=r"a run with \S+ stalled of \S+ requests"):
        judge_stalls(**({"baseline": FEW, "candidate": FEW} | {where: side}))


ERRORS = {
    "no requests before": ((0, 0), (600, 0), "inconclusive", "the baseline has no requests"),
    "no requests now": ((600, 0), (0, 0), "inconclusive", "the candidate has no requests"),
    "none on either side": ((0, 0), (0, 0), "inconclusive", "the baseline has no requests"),
    "one request each, failed now": ((1, 0), (0, 1), "inconclusive", "too many to call it worse"),
    "all failed before and now": ((0, 600), (0, 600), "pass", "600 of 600 failed"),
    "all failed now": ((600, 0), (0, 600), "regressed", "600 of 600 failed"),
    "sides of different length": ((6000, 0), (90, 10), "regressed", "10 of 100 failed"),
    "none failed": ((600, 0), (600, 0), "pass", "0 of 600 failed"),
}


@pytest.mark.parametrize(("baseline", "candidate", "verdict", "reason"), ERRORS.values(), ids=ERRORS)
def test_errors(baseline, candidate, verdict, reason):
    decision = judge_errors(baseline, candidate)
    assert decision.verdict == verdict
    assert reason in decision.reason
    json.dumps(asdict(decision), allow_nan=False)


@pytest.mark.parametrize("impossible", [(-1, 3), (3, -1), (NAN, 0), (600, NAN)], ids=str)
@pytest.mark.parametrize("where", ["baseline", "candidate"])
def test_failed_requests_that_cannot_be_are_an_error(impossible, where):
    with pytest.raises(ValueError, match="cannot be judged: counts of"):
        judge_errors(**({"baseline": (600, 0), "candidate": (600, 0)} | {where: impossible}))


def test_runs_that_are_not_usable_change_nothing_but_the_reason():
    clean = judge(STEADY, [session(104.0, 105.0, 103.0)], PAIRED)
    dirty = judge(STEADY, [session(104.0, NAN, 105.0, None, 103.0, 0.0, INF)], PAIRED)
    assert replace(dirty, reason="") == replace(clean, reason="")
    assert dirty.reason == clean.reason + "; 4 runs were not usable"


@pytest.mark.parametrize("relation", ["paired", "same_host", "same_part"])
@pytest.mark.parametrize("bad", [None, NAN, INF, -INF, -5.0])
def test_nothing_but_unusable_runs_never_passes(bad, relation):
    """I7."""
    policy = Policy(relation=relation, deterministic=relation == "paired")
    for baseline, candidate in (
        (STEADY, [session(bad)]),
        ([session(bad)], STEADY),
        ([session(bad)], [session(bad)]),
    ):
        assert judge(baseline, candidate, policy).verdict == "inconclusive"
