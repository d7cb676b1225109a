"""Every part of the verdict against one that is slow and obvious, on anything that may come in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obvious_gate import (
    closed_test,
    obvious_confirmation,
    obvious_errors,
    obvious_fisher,
    obvious_gate,
    obvious_interval,
    obvious_run_stat,
    obvious_stalls,
    obvious_verdicts,
    usable,
)
from scipy import stats

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
    log_histogram,
    run_interval,
)
from pytest_aiperf.judge.error_gate import fisher_upper
from pytest_aiperf.judge.holm import holm_shares
from pytest_aiperf.judge.run_summary import run_stats

fast = settings(max_examples=300, deadline=None, derandomize=True)
BAD_VALUES = (None, math.nan, math.inf, -math.inf, 0.0, -3.0, 1e-6, 1e9)
BAD_VARIANCES = (None, math.nan, math.inf, -1.0)
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)
"""Not drawn value by value: numbers as endpoints give them, near the edges of the verdicts, and faster."""
policies = st.builds(
    Policy,
    tolerance=st.sampled_from([0.0317, 0.0517, 0.1017]),
    floor=st.one_of(st.just(0.0), st.floats(0.0, 20.0)),
    relation=st.sampled_from(["paired", "same_host", "same_part"]),
    direction=st.sampled_from(["lower", "higher"]),
    strict=st.booleans(),
    tau=st.one_of(st.none(), st.none(), st.floats(0.001, 0.03)),
    tau_df=st.one_of(st.none(), st.floats(1.0, 40.0)),
    run_sd=st.one_of(st.none(), st.none(), st.floats(0.002, 0.05)),
    deterministic=st.integers(0, 9).map(lambda k: k == 0),
)
"""Tolerances that no ratio of round numbers hits: the exact tolerance is decided by the last bit."""


def a_run(rng, log_session, *, knows, bad):
    value = float(100 * np.exp(log_session + rng.normal(0, 0.01)))
    var_within = float(rng.uniform(0, 4e-4)) if knows else None
    if rng.random() < bad:
        value = BAD_VALUES[rng.integers(len(BAD_VALUES))]
    if rng.random() < bad:
        var_within = BAD_VARIANCES[rng.integers(len(BAD_VARIANCES))]
    return RunStat(value, 19 if rng.random() < bad else 200, var_within)


def a_side(rng, *, most_sessions=4, slower=1.0, bad=0.0):
    """Sessions of one to six runs; with `bad`, the share of what is wrong, empty sessions and empty sides as well."""
    knows = rng.random() < 0.8
    n_sessions = int(rng.integers(1, most_sessions + 1)) * int(rng.random() >= bad / 4)
    return [
        [
            a_run(rng, log_session, knows=knows, bad=bad)
            for _ in range(int(rng.integers(1, 7)) * int(rng.random() >= bad / 4))
        ]
        for log_session in math.log(slower) + rng.normal(0, 0.01, n_sessions)
    ]


def two_sides(rng, *, sessions=2):
    """A baseline and a candidate from 10 % better to 20 % worse; in half of the cases some of it is bad."""
    bad = 0.2 * int(rng.integers(2))
    return a_side(rng, bad=bad), a_side(rng, most_sessions=sessions, slower=rng.uniform(0.9, 1.2), bad=bad)


def near_the_edge(rng, policy):
    """A candidate that is worse by so much that its share of the budget decides; in one of five cases some is bad."""
    bad = 0.2 * int(rng.random() < 0.2)
    by = rng.uniform(1.04, 1.12)
    slower = by if policy.direction == "lower" else 1 / by
    return a_side(rng, bad=bad), a_side(rng, most_sessions=1, slower=slower, bad=bad)


@fast
@given(seeds, policies, st.integers(0, 2), st.sampled_from([1.0, 1 / 2, 1 / 3, 1 / 7]))
def test_the_gate(rng, policy, look, share):
    baseline, candidate = two_sides(rng)
    verdict, d, se, df, mde = obvious_gate(baseline, candidate, policy, look, share)
    ours = judge(baseline, candidate, policy, look, alpha_share=share)
    assert ours.verdict == verdict
    if d is None:
        assert (ours.se, ours.df, ours.mde) == (None, None, None)
        return
    change = math.expm1(d if policy.direction == "lower" else -d)
    assert (ours.change, ours.se, ours.mde) == pytest.approx((change, se, mde), rel=1e-6, abs=1e-12)
    if se > 1e-9:
        assert (math.inf if ours.df is None else ours.df) == pytest.approx(df, rel=1e-6)


@fast
@given(seeds, policies)
def test_the_interval_of_the_change(rng, policy):
    baseline, candidate = a_side(rng), a_side(rng, slower=rng.uniform(0.8, 1.3))
    _, d, se, df, _ = obvious_gate(baseline, candidate, policy)
    margin = stats.t.ppf(0.975, df) * se if se else 0.0
    sign = 1 if policy.direction == "lower" else -1
    ends = sorted(np.expm1([sign * (d - margin), sign * (d + margin)]))
    assert judge(baseline, candidate, policy).ci95 == pytest.approx(tuple(ends), rel=1e-6, abs=1e-12)


@fast
@given(seeds, policies, st.floats(0.5, 0.999))
def test_the_interval_of_one_side(rng, policy, level):
    side = a_side(rng, bad=0.1)
    ends = obvious_interval(side, policy, level)
    ours = run_interval(side, policy, level=level)
    if ends is None:
        assert ours is None
    else:
        assert ours == pytest.approx(tuple(ends), rel=1e-6, abs=1e-300)


@fast
@given(seeds, st.lists(policies, min_size=1, max_size=5), st.integers(0, 2))
def test_several_metrics(rng, of_metrics, look):
    drawn = {str(i): (*near_the_edge(rng, policy), policy) for i, policy in enumerate(of_metrics)}
    samples = {
        name: MetricSamples(baseline=before, candidate=now, policy=policy)
        for name, (before, now, policy) in drawn.items()
    }
    ours = {name: one.verdict for name, one in judge_metrics(samples, look).items()}
    assert ours == obvious_verdicts(drawn, look)


@fast
@given(st.lists(st.floats(1e-4, 2.0), min_size=1, max_size=6, unique=True))
def test_the_shares_of_holm(p_values):
    """Whoever is rejected with its share is rejected by the closed test, and nobody else."""
    named = {str(i): p for i, p in enumerate(p_values)}
    shares = holm_shares(named)
    assert {name for name, p in named.items() if p < shares[name]} == closed_test(named)


@fast
@given(seeds, policies, st.integers(0, 2))
def test_a_second_session(rng, policy, look):
    worse = 1.0 / 1.1 if policy.direction == "higher" else 1.1
    bad = 0.1 * int(rng.integers(2))
    baseline = a_side(rng, bad=bad)
    (first,) = a_side(rng, most_sessions=1, slower=worse) or [[]]
    (second,) = a_side(rng, most_sessions=1, slower=worse ** rng.uniform(0, 1.2), bad=bad) or [[]]
    expected = obvious_confirmation(baseline, first, second, policy, look)
    assert confirm(baseline, first, second, policy, look).verdict == expected
    samples = {"one": MetricSamples(baseline=baseline, candidate=[first], policy=policy)}
    before = judge(baseline, [first], policy, look).verdict
    together = confirm_metrics(samples, {"one": second}, look)["one"].verdict
    assert together == (expected if before == "regressed" else before)


@fast
@given(seeds, st.sampled_from([0.01, 0.003, 0.004]))
def test_failed_requests(rng, alpha):
    baseline, candidate = (tuple(map(int, rng.integers(0, (400, most)))) for most in (8, 20))
    if sum(baseline) and sum(candidate):
        exact = obvious_fisher(baseline, candidate)
        assert fisher_upper(baseline, candidate) == pytest.approx(float(exact), rel=1e-9, abs=1e-300)
        hypergeometric = stats.hypergeom.sf(
            candidate[1] - 1, sum(baseline) + sum(candidate), baseline[1] + candidate[1], sum(candidate)
        )
        assert fisher_upper(baseline, candidate) == pytest.approx(hypergeometric, rel=1e-8, abs=1e-300)
    assert judge_errors(baseline, candidate, alpha=alpha).verdict == obvious_errors(
        baseline, candidate, alpha
    )


def stalled_side(rng, most):
    """One to three sessions of runs of different length, some without requests."""
    return [
        [
            (int(rng.integers(0, min(n, most) + 1)), n)
            for n in map(int, rng.integers(0, 300, rng.integers(0, 6)))
        ]
        for _ in range(rng.integers(1, 4))
    ]


@fast
@given(seeds, st.sampled_from([0.01, 0.003, 0.004]), st.booleans())
def test_stalled_requests(rng, alpha, paired):
    baseline, candidate = stalled_side(rng, 4), stalled_side(rng, 16)
    verdict, shows = obvious_stalls(baseline, candidate, alpha, paired)
    ours = judge_stalls(baseline, candidate, alpha=alpha, paired=paired)
    assert ours.verdict == verdict
    if verdict == "pass":
        assert f"a share of {shows} would have shown" in ours.reason


@fast
@given(seeds, st.integers(0, 130), st.integers(0, 12))
def test_run_summaries(rng, n, n_err):
    names = {"mean": None, "p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
    given_values = rng.lognormal(3, 0.4, n)
    if rng.random() < 0.5:
        given_values[rng.random(n) < 0.05] = math.nan
    if rng.random() < 0.2:
        given_values[rng.random(n) < 0.02] = 0.0
    ours = run_stats(given_values, list(names), n_err=n_err, failed_as_inf=True)
    for name, q in names.items():
        value, var_within = obvious_run_stat(given_values, q, n_err)
        assert ours[name].value == (None if value is None else pytest.approx(value, rel=1e-9))
        assert ours[name].var_within == (
            None if var_within is None else pytest.approx(var_within, rel=1e-6, abs=1e-15)
        )


@fast
@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=80), st.sampled_from([0.001, 0.01, 0.05]))
def test_histograms(given_values, growth):
    histogram = log_histogram(given_values, growth)
    assert histogram.total == len(given_values)
    edges = [
        (1 + growth) ** (histogram.offset + index) for index in histogram.index
    ]  # every value lies in a bucket that is there, up to the last bit of its edge
    for value in given_values:
        assert any(edge * (1 - 1e-9) <= value <= edge * (1 + growth) * (1 + 1e-9) for edge in edges)
    for edge, count in zip(edges, histogram.count, strict=True):
        inside = [edge * (1 + 1e-9) < value < edge * (1 + growth) * (1 - 1e-9) for value in given_values]
        assert sum(inside) <= count


def test_the_obvious_one_drops_what_it_should():
    """The checks above would hold of two that both drop everything."""
    side = [[RunStat(100.0, 200), RunStat(math.nan, 200), RunStat(100.0, 19)], [RunStat(0.0, 200)]]
    assert usable(side, Policy()) == [[RunStat(100.0, 200)]]
