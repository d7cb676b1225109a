"""Statistics of values, of values with failures among them, and of levels by time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.metrics.base_metric import Levels
from pytest_aiperf.metrics.statistics import LevelStatistics, ValueStatistics, percent_of

PERCENTS = (0, 1, 5, 10, 25, 29, 50, 75, 90, 95, 99, 99.9, 100)
some_values = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(some_values)
def test_statistics_of_values_are_those_of_numpy(values):
    found = ValueStatistics(np.array(values))
    assert found.count == len(values)
    assert (found.min, found.max) == (min(values), max(values))
    for name, expected in (("sum", np.sum(values)), ("avg", np.mean(values)), ("std", np.std(values))):
        assert getattr(found, name) == pytest.approx(expected, rel=1e-12, abs=1e-12), name
    for percent in PERCENTS:
        assert found.percentile(percent) == pytest.approx(np.percentile(values, percent), rel=1e-12, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "percent"),
    [
        ("p50", 50),
        ("p99_9", 99.9),
        ("p999", 99.9),
        ("p0", 0),
        ("p100", 100),
        ("p101", None),
        ("p", None),
        ("p_", None),
        ("p9_9_9", None),
        ("p-5", None),
        ("pnan", None),
        ("p1e1", None),
        ("mean", None),
    ],
)
def test_percentiles_have_names(name, percent):
    assert percent_of(name) == percent


def test_values_are_not_put_into_another_order():
    values = np.array([3.0, 1.0, 2.0])
    ValueStatistics(values).percentile(50)
    assert values.tolist() == [3, 1, 2]


@settings(deadline=None, max_examples=200, derandomize=True)
@given(some_values, st.integers(0, 10), st.sampled_from(PERCENTS))
def test_nearest_rank_is_the_least_value_that_covers_the_share(values, failed, percent):
    everything = [*values, *[math.inf] * failed]
    least = min(v for v in everything if sum(w <= v for w in everything) * 100 >= percent * len(everything))
    assert ValueStatistics(np.array(everything), nearest_rank=True).percentile(percent) == least


@pytest.mark.parametrize(("percent", "expected"), [(94, 94), (95, 95), (95.1, math.inf), (99, math.inf)])
def test_failed_requests_are_the_slowest_ones(percent, expected):
    values = np.array([*range(1, 96), *[math.inf] * 5], dtype=np.float64)
    assert ValueStatistics(values, nearest_rank=True).percentile(percent) == expected


def test_a_mean_with_failures_is_infinite_and_has_no_deviation():
    found = ValueStatistics(np.array([1.0, math.inf]), nearest_rank=True)
    assert (found.sum, found.avg, found.max) == (math.inf,) * 3
    assert math.isnan(found.std)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 20)), min_size=1, max_size=12))
def test_statistics_of_levels_are_those_of_a_value_for_each_second(steps):
    level, seconds = (np.array(column, dtype=np.float64) for column in zip(*steps, strict=True))
    found = LevelStatistics(Levels(level=level, seconds=seconds, busy=level > 0))
    each = np.repeat(level, seconds.astype(int))
    assert (found.count, found.sum) == (len(steps), None)
    assert (found.min, found.max) == (each.min(), each.max())
    assert (found.avg, found.std) == (pytest.approx(each.mean()), pytest.approx(each.std(), abs=1e-9))
    for percent in (1, 25, 50, 75, 90, 99, 100):
        nearest_rank = np.percentile(each, percent, method="inverted_cdf")
        assert found.percentile(percent) == nearest_rank, percent
