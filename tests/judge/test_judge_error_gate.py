"""The share of failed requests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pytest_aiperf.judge import error_totals, judge_errors
from pytest_aiperf.judge.error_gate import fisher_upper


def test_the_exact_test_is_that_of_scipy():
    rng = np.random.default_rng(1)
    for _ in range(300):
        baseline, candidate = (tuple(int(x) for x in rng.integers(0, (900, 40))) for _ in range(2))
        if not sum(baseline) or not sum(candidate):
            continue
        table = [[candidate[1], candidate[0]], [baseline[1], baseline[0]]]
        assert fisher_upper(baseline, candidate) == pytest.approx(
            stats.fisher_exact(table, alternative="greater").pvalue, rel=1e-8, abs=1e-300
        )


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        ((0, 5), (0, 5)),
        ((0, 5), (5, 0)),
        ((5, 0), (0, 5)),
        ((10**6, 800), (10**6, 1000)),
        ((10**6, 0), (10**6, 5000)),
    ],
)
def test_the_exact_test_at_the_edges(baseline, candidate):
    table = [[candidate[1], candidate[0]], [baseline[1], baseline[0]]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert fisher_upper(baseline, candidate) == pytest.approx(expected, rel=1e-5, abs=1e-300)


@pytest.mark.parametrize(
    ("baseline", "candidate", "verdict"),
    [
        ((600, 0), (600, 0), "pass"),
        ((600, 0), (599, 1), "pass"),
        ((600, 0), (598, 2), "pass"),
        ((600, 0), (580, 20), "regressed"),
        ((580, 20), (580, 20), "pass"),
        ((580, 20), (600, 0), "pass"),
        ((600, 0), (98, 2), "inconclusive"),
        ((10**6, 1000), (10**6, 3000), "pass"),
        ((0, 600), (0, 600), "pass"),
        ((600, 0), (0, 600), "regressed"),
        ((0, 0), (600, 0), "inconclusive"),
        ((600, 0), (0, 0), "inconclusive"),
    ],
)
def test_more_failures_than_chance_and_tolerance_allow(baseline, candidate, verdict):
    assert judge_errors(baseline, candidate).verdict == verdict


def test_the_reason_names_the_counts():
    reason = judge_errors((600, 0), (580, 20)).reason
    assert "20 of 600 failed (3.3 %), before 0 of 600 failed" in reason
    assert judge_errors((0, 0), (5, 0)).reason == "the baseline has no requests"


def test_change_is_relative_where_the_baseline_had_failures():
    assert judge_errors((99, 1), (97, 3)).change == pytest.approx(2.0)
    assert judge_errors((100, 0), (97, 3)).change is None
    assert judge_errors((100, 0), (100, 0)).change == 0.0


def test_only_an_inconclusive_share_asks_for_more_runs():
    assert judge_errors((600, 0), (98, 2)).more_runs_help
    assert not judge_errors((600, 0), (0, 0)).more_runs_help


def test_totals_run_over_all_runs_of_all_sessions():
    assert error_totals([[(200, 0), (198, 2)], [(199, 1)]]) == (597, 3)
    assert error_totals([]) == (0, 0)
