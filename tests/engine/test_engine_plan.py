from __future__ import annotations

import json
import math

import numpy as np
import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.engine import LoadPlan


def test_a_plan_comes_back_from_its_buffers():
    plan = LoadPlan(
        url="http://h/",
        further_urls=("http://g/",),
        bodies=[b"", b"a", b"bc"],
        concurrency=2,
        headers={"x": "y"},
        streaming=False,
        due_ns=np.array([0, 5, 5]),
        delay_ns=np.array([0, 0, 7]),
    )
    header, buffers = plan.to_buffers()
    again = LoadPlan.from_buffers(json.loads(json.dumps(header)), buffers)
    for name in LoadPlan.__slots__:
        assert np.array_equal(getattr(again, name), getattr(plan, name)), name


def test_due_times_that_fall_are_refused():
    with pytest.raises(ConfigurationError, match="due_ns must not fall"):
        LoadPlan(url="http://h/", bodies=[b"", b""], due_ns=np.array([1, 0]))


def test_due_times_before_the_start_are_refused():
    with pytest.raises(ConfigurationError, match="due_ns must not fall"):
        LoadPlan(url="http://h/", bodies=[b""], due_ns=np.array([-1]))


def test_more_requests_than_due_times_are_refused():
    with pytest.raises(ConfigurationError, match="3 requests are wanted and 2 have due times"):
        LoadPlan(url="http://h/", bodies=[b"", b""], due_ns=np.array([0, 1]), count=3)


@pytest.mark.parametrize(
    ("offsets", "after", "message"),
    [
        ([0, 0, 1], [1], "a request follows only what comes before it"),
        ([0, 0, 1], [-1], "a request follows only what comes before it"),
        ([0, 0, 1], [0, 0], "after_offsets does not deal the 2 entries"),
        ([0, 1], [0], "after_offsets does not deal"),
        ([1, 0, 1], [0], "after_offsets does not deal"),
        (None, [0], "after and after_offsets belong together"),
        ([0, 0, 1], None, "after and after_offsets belong together"),
    ],
)
def test_an_order_that_cannot_be_kept_is_refused(offsets, after, message):
    columns = {"after_offsets": offsets, "after": after}
    given = {name: None if c is None else np.array(c) for name, c in columns.items()}
    with pytest.raises(ConfigurationError, match=message):
        LoadPlan(url="http://h/", bodies=[b"", b""], concurrency=1, **given)


@pytest.mark.parametrize(
    ("fields", "requests", "planned"),
    [
        ({"concurrency": 1}, 4, 4),
        ({"concurrency": 1, "count": 9}, 9, 9),
        ({"concurrency": 1, "duration_s": 1.0}, None, None),
        ({"concurrency": 1, "duration_s": 1.0, "count": 9}, 9, 9),
        ({"due_ns": np.arange(4) * 10**9}, 4, 4),
        ({"due_ns": np.arange(4) * 10**9, "count": 3}, 3, 3),
        ({"due_ns": np.arange(4) * 10**9, "duration_s": 1.5}, 4, 2),
        ({"due_ns": np.arange(4) * 10**9, "duration_s": 1.5, "delay_ns": np.array([0, 0, 0, 1])}, 4, None),
    ],
)
def test_how_many_requests_there_are_and_how_many_of_them_should_be_sent(fields, requests, planned):
    plan = LoadPlan(url="http://h/", bodies=[b""] * 4, **fields)
    assert (plan.requests, plan.planned) == (requests, planned)


@pytest.mark.parametrize("name", ["grace_period_s", "concurrency_ramp_s"])
@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_negative_times_are_refused_by_name(name, value):
    with pytest.raises(ConfigurationError, match=f"{name} must not be negative"):
        LoadPlan(url="http://h/", bodies=[b""], concurrency=1, **{name: value})


def test_a_plan_without_any_rule_of_when_to_send_is_refused():
    with pytest.raises(ConfigurationError, match="neither a concurrency nor due times"):
        LoadPlan(url="http://h/", bodies=[b""])


def test_a_column_of_another_length_is_refused_by_name():
    with pytest.raises(ConfigurationError, match="cancel_after_ns has 1 entries for 2 requests"):
        LoadPlan(url="http://h/", bodies=[b"", b""], concurrency=1, cancel_after_ns=np.array([1]))


def test_a_plan_without_requests_is_refused():
    with pytest.raises(ConfigurationError, match="holds no requests"):
        LoadPlan(url="http://h/", bodies=[], concurrency=1)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["concurrency", "stall_timeout_s", "max_duration_s", "body_limit_bytes"])
def test_numbers_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ConfigurationError, match=name):
        LoadPlan(**{"url": "http://h/", "bodies": [b""], "concurrency": 1, name: value})
