"""Quantiles and tails from scipy.special against those of scipy.stats."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from pytest_aiperf.judge.distributions import chi2_quantile, t_tail, t_upper

DFS = (1.0, 2.0, 3.7, 8.0, 23.4, 1000.0)


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("alpha", [1e-6, 0.003 / 4, 0.003, 0.015, 0.025, 0.05, 0.5, 0.9])
def test_t_upper_is_the_quantile_of_the_upper_tail(df, alpha):
    assert t_upper(alpha, df) == pytest.approx(stats.t.isf(alpha, df), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("t", [-3.0, 0.0, 0.5, 4.0, 30.0])
def test_t_tail_is_the_survival_function(df, t):
    assert t_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-9)


def test_infinite_degrees_of_freedom_are_the_normal_distribution():
    assert t_upper(0.003, math.inf) == pytest.approx(stats.norm.isf(0.003))
    assert t_tail(2.0, math.inf) == pytest.approx(stats.norm.sf(2.0))


@pytest.mark.parametrize("df", [2, 6, 14, 59])
def test_chi2_quantile(df):
    assert chi2_quantile(0.10, df) == pytest.approx(stats.chi2.ppf(0.10, df))
