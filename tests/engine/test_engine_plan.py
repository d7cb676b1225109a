from __future__ import annotations

import math

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.engine import LoadPlan


def test_a_plan_comes_back_from_its_buffers():
    plan = LoadPlan(
        url="http://h/", bodies=[b"", b"a", b"bc"], concurrency=2, headers={"x": "y"}, streaming=False
    )
    header, buffers = plan.to_buffers()
    assert LoadPlan.from_buffers(header, buffers) == plan


def test_a_plan_without_requests_is_refused():
    with pytest.raises(ConfigurationError, match="holds no requests"):
        LoadPlan(url="http://h/", bodies=[], concurrency=1)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["concurrency", "stall_timeout_s", "max_duration_s", "body_limit_bytes"])
def test_numbers_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ConfigurationError, match=name):
        LoadPlan(**{"url": "http://h/", "bodies": [b""], "concurrency": 1, name: value})
