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
