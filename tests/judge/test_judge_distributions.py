"""Quantiles and tails from scipy.special against those of scipy.stats."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from pytest_aiperf.judge.distributions import chi2_quantile, t_tail, t_upper

DFS = (1.0, 1.3, 2.0, 3.7, 8.0, 23.4, 1e3, 1e6, 1e9, 1e15)
ALPHAS = (1e-12, 1e-9, 1e-6, 0.003 / 7, 0.003, 0.015, 0.025, 0.05, 0.2, 0.5, 0.9, 0.999)
"""Beyond what looks, Holm's shares and Satterthwaite can lead to."""


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_t_upper_is_the_quantile_of_the_upper_tail(df, alpha):
    assert t_upper(alpha, df) == pytest.approx(stats.t.isf(alpha, df), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("t", [-40.0, -3.0, 0.0, 0.5, 4.0, 30.0])
def test_t_tail_is_the_survival_function(df, t):
    assert t_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_quantile_and_tail_are_inverse(df, alpha):
    assert t_tail(t_upper(alpha, df), df) == pytest.approx(alpha, rel=1e-6)


def test_with_many_degrees_of_freedom_student_becomes_normal():
    for alpha in ALPHAS:
        assert t_upper(alpha, 1e15) == pytest.approx(t_upper(alpha, math.inf), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_infinite_degrees_of_freedom_are_the_normal_distribution(alpha):
    assert t_upper(alpha, math.inf) == pytest.approx(stats.norm.isf(alpha), rel=1e-9, abs=1e-12)
    assert t_tail(2.0, math.inf) == pytest.approx(stats.norm.sf(2.0))


@pytest.mark.parametrize("df", [1, 2, 6, 14, 59, 500, 100_000])
@pytest.mark.parametrize("p", [1e-6, 0.01, 0.10, 0.5, 0.9, 0.999])
def test_chi2_quantile(p, df):
    assert chi2_quantile(p, df) == pytest.approx(stats.chi2.ppf(p, df), rel=1e-7)
