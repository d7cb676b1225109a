"""One run of one metric, reduced to its statistic and its own scatter."""

from __future__ import annotations

import math

import numpy as np
import pytest
from endpoint_model import EndpointModel, run_stats

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.judge import min_requests, run_stat, run_summary

LATENCIES = np.random.default_rng(1).lognormal(3.0, 0.4, 237)


@pytest.mark.parametrize(
    ("statistic", "q"), [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)]
)
def test_quantiles_are_those_of_numpy(statistic, q):
    assert run_stat(LATENCIES, statistic).value == pytest.approx(np.quantile(LATENCIES, q), rel=1e-12)


@pytest.mark.parametrize("n", [0, 1, 49, 237])
@pytest.mark.parametrize("n_err", [0, 7])
def test_several_statistics_at_once_are_those_of_each_alone(n, n_err):
    values = [*LATENCIES[:n], math.nan, math.inf]
    options = {"n_err": n_err, "failed_as_inf": True}
    names = ["avg", "p50", "p99", "p99.9"]
    assert run_summary.run_stats(values, names, **options) == {
        name: run_stat(values, name, **options) for name in names
    }


@pytest.mark.parametrize("statistic", ["mean", "avg"])
def test_mean_and_avg_are_the_mean(statistic):
    assert run_stat(LATENCIES, statistic).value == pytest.approx(LATENCIES.mean())


@pytest.mark.parametrize("statistic", ["p0", "p100", "p", "median", "p99.", "P50", "p-5", "", "p050"])
def test_an_unknown_statistic_is_refused(statistic):
    with pytest.raises(ConfigurationError, match="unknown statistic"):
        run_stat(LATENCIES, statistic)


@pytest.mark.parametrize(
    ("statistic", "n"),
    [
        ("mean", 20),
        ("avg", 20),
        ("p50", 20),
        ("p75", 40),
        ("p90", 100),
        ("p95", 200),
        ("p99", 1000),
        ("p99.9", 10000),
        ("p10", 100),
    ],
)
def test_ten_requests_must_lie_beyond_the_quantile(statistic, n):
    assert min_requests(statistic) == n


def test_the_value_is_computed_however_few_requests_there_are():
    assert run_stat([3.0], "p99").value == 3.0
    assert run_stat([], "p50") == run_stat([math.nan], "p50")
    assert run_stat([], "p50").value is None
    assert run_stat([], "mean").value is None


def test_nan_is_a_request_without_a_value():
    summary = run_stat([math.nan, 1.0, 3.0, math.nan], "mean")
    assert (summary.value, summary.n_ok) == (2.0, 2)


def test_failed_requests_count_as_infinitely_slow_where_asked():
    survivors = np.arange(1.0, 91.0)
    assert run_stat(survivors, "p50", n_err=10).value == pytest.approx(45.5)
    slow = run_stat(survivors, "p50", n_err=10, failed_as_inf=True)
    assert slow.value == pytest.approx(np.quantile([*survivors, *[1e9] * 10], 0.5))
    assert (slow.n_ok, slow.n_err) == (90, 10)
    assert run_stat(survivors, "p95", n_err=10, failed_as_inf=True).value == math.inf
    assert run_stat(survivors, "mean", n_err=10, failed_as_inf=True).value == pytest.approx(45.5)


def test_a_quantile_between_a_value_and_a_failure_is_infinite_and_never_nan():
    assert run_stat([1.0], "p50", n_err=1, failed_as_inf=True).value == math.inf
    assert run_stat([1.0], "p50", n_err=2, failed_as_inf=True).value == math.inf
    assert run_stat([1.0, 2.0], "p50", n_err=1, failed_as_inf=True).value == 2.0


def test_the_scatter_comes_from_ten_sections_around_the_own_value():
    sections = np.split(LATENCIES[:200], 10)
    expected = (
        sum(math.log(np.quantile(s, 0.95) / np.quantile(LATENCIES[:200], 0.95)) ** 2 for s in sections)
        / 9
        / 10
    )
    assert run_stat(LATENCIES[:200], "p95").var_within == pytest.approx(expected)


def test_sections_keep_the_order_of_completion():
    drifting = np.linspace(100.0, 200.0, 200)
    shuffled = np.random.default_rng(2).permutation(drifting)
    assert run_stat(drifting, "p50").var_within > 5 * run_stat(shuffled, "p50").var_within


@pytest.mark.parametrize(("n", "known"), [(49, False), (50, True)])
def test_below_fifty_requests_the_scatter_is_unknown(n, known):
    assert (run_stat(LATENCIES[:n], "p50").var_within is not None) == known


def test_values_without_a_logarithm_leave_the_scatter_unknown():
    assert run_stat(np.zeros(100), "p50").var_within is None
    assert run_stat([0.0] * 50 + [1.0] * 51, "p50").var_within is None
    assert run_stat([-1.0] * 100, "p50").var_within is None


@pytest.mark.parametrize(("statistic", "q"), [("p50", 0.5), ("p95", 0.95), ("mean", None)])
def test_the_simulation_summarises_runs_as_the_package_does(statistic, q):
    latencies = EndpointModel().latencies(np.random.default_rng(3), 2, 1, 3)
    for sessions, theirs in zip(latencies, run_stats(latencies, q), strict=True):
        for values, summary in zip(sessions[0], theirs[0], strict=True):
            ours = run_stat(values, statistic)
            assert (summary.value, summary.var_within) == pytest.approx((ours.value, ours.var_within))
            assert summary.n_ok == ours.n_ok
