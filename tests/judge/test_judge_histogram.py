"""The histogram that a baseline keeps."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.common.errors import BaselineError
from pytest_aiperf.judge import LogHistogram, log_histogram

QUANTILES = (0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0)
positive = st.lists(st.floats(1e-5, 1e9), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(positive, st.sampled_from([0.001, 0.01, 0.05]))
def test_every_quantile_is_within_its_relative_error(values, growth):
    histogram = log_histogram(values, growth)
    bound = growth / (2 + growth) + 1e-9
    for q in QUANTILES:
        assert histogram.quantile(q) == pytest.approx(np.quantile(values, q), rel=bound)


def test_the_default_error_is_half_a_percent():
    values = np.random.default_rng(1).lognormal(4.0, 1.0, 5000)
    worst = max(abs(log_histogram(values).quantile(q) / np.quantile(values, q) - 1) for q in QUANTILES)
    assert 0.001 < worst < 0.005


def test_no_value_is_lost_except_those_that_are_none():
    histogram = log_histogram([0.0, -1.0, 1e-9, 5.0, math.nan, math.inf, 7.0])
    assert histogram.total == 5
    assert histogram.quantile(1.0) == pytest.approx(7.0, rel=0.005)
    assert histogram.quantile(0.0) == pytest.approx(1e-6, rel=0.005)


def test_an_empty_histogram_has_no_quantile():
    assert log_histogram([]).quantile(0.5) is None
    assert log_histogram([math.nan]).total == 0


@pytest.mark.parametrize("q", [-0.1, 1.1, 95])
def test_a_quantile_is_a_fraction(q):
    with pytest.raises(ValueError, match="as a fraction from 0 to 1"):
        log_histogram([1.0]).quantile(q)


def test_it_survives_json_and_is_small():
    histogram = log_histogram(np.random.default_rng(2).lognormal(4.0, 0.25, 600))
    text = json.dumps(histogram.to_dict())
    assert LogHistogram.from_dict(json.loads(text), total=600) == histogram
    assert len(text) < 1500


GOOD = {"growth": 0.01, "offset": 812, "index": [0, 3], "count": [2, 1]}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"count": [2]}, "2 buckets and 1 counts"),
        ({"count": [2, 0]}, "a bucket without values"),
        ({"count": [2, 1.5]}, "must be whole numbers"),
        ({"count": [2, True]}, "must be whole numbers"),
        ({"index": [3, 0]}, "not in rising order"),
        ({"index": [3, 3]}, "not in rising order"),
        ({"index": [-1, 3]}, "not in rising order"),
        ({"offset": 0.5}, "must be whole numbers"),
        ({"growth": 0.0}, "growth is 0.0"),
        ({"growth": "0.01"}, "growth is '0.01'"),
        ({"count": [2, 2]}, "add up to 4, not to 3"),
    ],
)
def test_what_does_not_add_up_is_refused(changed, complaint):
    with pytest.raises(BaselineError, match=complaint):
        LogHistogram.from_dict(GOOD | changed, total=3)


def test_what_lacks_a_field_is_refused():
    with pytest.raises(BaselineError, match="it lacks offset, count; record the baseline again"):
        LogHistogram.from_dict({"growth": 0.01, "index": []})
    assert LogHistogram.from_dict(GOOD, total=3).total == 3
