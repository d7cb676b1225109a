"""The interval of one side's own statistic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from endpoint_model import EndpointModel, run_stats
from scipy import stats

from pytest_aiperf.judge import Policy, RunStat, run_interval


def session(*values, var_within=1e-4):
    return [RunStat(value, 200, var_within) for value in values]


def test_it_is_the_t_interval_with_the_moderated_variance():
    values = (100.0, 104.0, 97.0)
    low, high = run_interval([session(*values)], Policy())
    logs = np.log(values)
    squares = ((logs - logs.mean()) ** 2).sum()
    variance = (4 * (1e-4 + 0.015**2) + squares) / 6
    margin = stats.t.ppf(0.975, 6) * math.sqrt(variance / 3)
    assert (low, high) == pytest.approx((math.exp(logs.mean() - margin), math.exp(logs.mean() + margin)))


def test_it_is_centred_where_asked():
    low, high = run_interval([session(100.0, 104.0, 97.0)], Policy(), center=99.0)
    assert math.sqrt(low * high) == pytest.approx(99.0)


def test_one_run_has_a_wide_interval_and_equal_runs_one_of_some_width():
    one, three = (run_interval([session(*[100.0] * n)], Policy()) for n in (1, 3))
    assert one[0] < three[0] < 100.0 < three[1] < one[1]


def test_more_confidence_is_wider():
    side = [session(100.0, 104.0, 97.0)]
    assert run_interval(side, Policy(), level=0.99)[1] > run_interval(side, Policy(), level=0.9)[1]


def test_sessions_that_differ_widen_it():
    together = run_interval([session(90.0, 91.0), session(110.0, 111.0), session(100.0, 101.0)], Policy())
    alone = run_interval([session(100.0, 101.0)], Policy())
    assert together[1] - together[0] > alone[1] - alone[0]


@pytest.mark.parametrize("side", [[], [[]], [session(None)], [session(0.0, -1.0)], [[RunStat(5.0, 3)]]])
def test_without_usable_runs_there_is_none(side):
    assert run_interval(side, Policy()) is None


def test_wild_values_stay_finite():
    low, high = run_interval([session(1e-300, 1e300)], Policy())
    assert 0.0 <= low < high < math.inf


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_is_a_fraction(level):
    with pytest.raises(ValueError, match="confidence level"):
        run_interval([session(1.0)], Policy(), level=level)


@pytest.mark.parametrize("center", [0.0, -1.0, math.inf, math.nan])
def test_a_centre_is_above_zero(center):
    with pytest.raises(ValueError, match="above zero"):
        run_interval([session(1.0)], Policy(), center=center)


@pytest.mark.parametrize(("q", "true_p"), [(0.5, 0.5), (0.95, 0.95)])
def test_it_covers_the_true_value_in_about_95_percent(q, true_p):
    model = EndpointModel(stall_share=0.0)
    truth = math.exp(stats.norm.ppf(true_p, scale=model.request_sd))
    latencies = model.latencies(np.random.default_rng(5), 1000, 1, 3)
    pooled = np.quantile(latencies.reshape(1000, -1), q, axis=-1)
    intervals = [
        run_interval(sessions, Policy(), center=float(center))
        for sessions, center in zip(run_stats(latencies, q), pooled, strict=True)
    ]
    covered = sum(low <= truth <= high for low, high in intervals)
    assert stats.binom.ppf(0.001, 1000, 0.93) <= covered <= stats.binom.ppf(0.999, 1000, 0.985)
