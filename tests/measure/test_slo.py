"""Absolute limits of a test (surface.md 2)."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.measure.result import Result
from pytest_aiperf.measure.slo import missed, parse_slo


def texts(bench, **limits):
    result = Result(bench.measure(baseline=False))
    return [
        str(one) for one in missed(result, parse_slo({k.replace("__", "."): v for k, v in limits.items()}))
    ]


def test_what_is_kept_is_not_told(bench):
    assert texts(bench, ttft__p95=100, latency__max=1000, throughput=1) == []


def test_what_is_not_kept_is_told_with_value_limit_and_unit(bench):
    (text,) = texts(bench, ttft__p95=40)
    assert text.startswith("ttft p95 is 5")
    assert text.endswith(" ms, must be at most 40 ms")


def test_where_more_is_better_the_limit_is_a_lower_one(bench):
    (text,) = texts(bench, throughput=10_000)
    assert text.endswith(" requests/s, must be at least 10000 requests/s")


def test_without_a_statistic_it_is_the_median_or_the_mean_of_the_runs():
    assert [(slo.tag, slo.statistic) for slo in parse_slo({"ttft": 5, "throughput": 5})] == [
        ("time_to_first_token", "p50"),
        ("request_throughput", "avg"),
    ]


def test_a_metric_without_a_value_keeps_no_limit(bench):
    result = Result(bench.measure(baseline=False, streaming=False))
    assert [str(one) for one in missed(result, parse_slo({"ttft.p95": 40}))] == [
        "ttft p95 has no value, must be at most 40 ms"
    ]


def test_a_measurement_tells_what_it_missed(bench):
    measurement = bench.measure(baseline=False, slos=parse_slo({"ttft": 1, "latency": 10_000}))
    assert [one.slo.tag for one in measurement.missed] == ["time_to_first_token"]


def test_a_quick_run_keeps_no_limits(bench):
    assert bench.measure(mode="quick", slos=parse_slo({"ttft": 1})).missed == ()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ([1], r"slo=\[1\]: write a mapping"),
        ({"tftt": 5}, r"unknown metric 'tftt' \(did you mean 'ttft'\?\)"),
        ({"ttft.p59": 5}, "unknown statistic 'p59' in 'ttft.p59'"),
        ({"ttft": "5"}, "ttft='5' is not a number; give it in ms"),
        ({"ttft": True}, "ttft=True is not a number"),
        ({"ttft": float("nan")}, "ttft=nan is not a number"),
        ({"osl": 5}, "neither more nor less of it is better"),
    ],
)
def test_what_cannot_be_a_limit_says_why(limits, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_slo(limits)
