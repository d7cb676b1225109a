"""The share of stalled requests."""

from __future__ import annotations

import pytest

from pytest_aiperf.judge import judge_stalls, stall_threshold


def runs(*counts, n=200):
    return [(k, n) for k in counts]


QUIET = [runs(1, 0, 2, 1, 1)]


def test_the_threshold_is_one_and_a_half_times_the_median_of_the_runs():
    assert stall_threshold([100.0, 90.0, 500.0]) == 150.0
    with pytest.raises(ValueError, match="at least one baseline run"):
        stall_threshold([])


@pytest.mark.parametrize(
    ("baseline", "candidate", "verdict"),
    [
        (QUIET, [runs(6, 7, 5, 6, 6)], "regressed"),
        (QUIET, [runs(1, 2, 0, 1, 1)], "pass"),
        (QUIET, [runs(2, 2, 2, 2, 2)], "pass"),
        ([runs(6, 7, 5, 6, 6)], QUIET, "pass"),
        ([runs(0, 0, 0, 0, 0)], [runs(1, 0, 0)], "pass"),
        ([runs(0, 0, 0, 0, 0)], [runs(0, 0, 0)], "pass"),
        ([runs(0, n=20)], [runs(1, n=20)], "inconclusive"),
        ([runs(0, 0, 0, 0, 0)], [runs(30, 0, 0)], "inconclusive"),
        ([], [runs(1)], "inconclusive"),
        ([runs(1)], [[]], "inconclusive"),
        ([runs(1)], [[(0, 0)]], "inconclusive"),
    ],
)
def test_more_stalls_than_chance_and_tolerance_allow(baseline, candidate, verdict):
    assert judge_stalls(baseline, candidate).verdict == verdict


def test_one_bad_run_is_a_burst_and_not_a_regression():
    burst = judge_stalls(QUIET, [runs(28, 0, 1, 0, 1)])
    spread = judge_stalls(QUIET, [runs(6, 6, 6, 6, 6)])
    assert (burst.verdict, spread.verdict) == ("inconclusive", "regressed")
    assert burst.more_runs_help


def test_runs_of_different_length_are_compared_by_share():
    assert judge_stalls([runs(0, 0, 0, n=400)], [runs(0, 0, 0, n=50)]).verdict == "pass"
    assert judge_stalls([runs(8, 8, 8, n=400)], [runs(1, 1, 1, n=50)]).verdict == "pass"
    assert judge_stalls([runs(8, 8, 8, n=400)], [runs(7, 7, 7, n=100)]).verdict == "regressed"
    assert judge_stalls([runs(2, 2, 2, 2, n=400)], [runs(12, 12, 12, n=200)]).verdict == "regressed"


def test_the_reason_names_the_shares_and_what_would_have_shown():
    passed = judge_stalls(QUIET, [runs(1, 1, 1, 1, 1)])
    assert passed.reason.startswith("0.5 % of requests stalled, before 0.5 %")
    assert "a share of 2.8 % would have shown" in passed.reason
    assert judge_stalls([], QUIET).reason == "the baseline has no run with requests"


def test_change_is_relative_where_the_baseline_had_stalls():
    assert judge_stalls(QUIET, [runs(6, 7, 5, 6, 6)]).change == pytest.approx(5.0)
    assert judge_stalls([runs(0)], [runs(0)]).change == 0.0
    assert judge_stalls([runs(0)], [runs(1)]).change is None


def test_sessions_that_differ_widen_what_a_stored_baseline_allows():
    apart = [runs(1, 1, 1, 1, 1), runs(12, 12, 12, 12, 12), runs(2, 2, 2, 2, 2)]
    alike = [runs(5, 5, 5, 5, 5)] * 3
    now = [runs(13, 13, 13)]
    assert judge_stalls(apart, now).verdict == "inconclusive"
    assert judge_stalls(alike, now).verdict == "regressed"
    assert judge_stalls(apart, now, paired=True).verdict == "regressed"
