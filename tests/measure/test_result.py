"""What a test gets to assert on."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from scripted_load import Server

from pytest_aiperf.measure.result import Result
from pytest_aiperf.metrics.registry import ALIASES, STATISTICS


@pytest.fixture
def result(bench):
    return Result(bench.measure())


def test_every_metric_is_there_by_tag_by_alias_and_by_key(result):
    for alias, tag in ALIASES.items():
        assert getattr(result, alias) is getattr(result, tag) is result[tag] is result[alias]
        assert alias in result
        assert tag in result


def test_figures_are_over_the_requests_of_all_runs(result):
    pooled = result.measurement.pooled["time_to_first_token"]
    assert result.ttft.count == 180
    assert result.ttft.p95 == pytest.approx(np.percentile(pooled, 95))
    assert result.ttft.p99_9 == pytest.approx(np.percentile(pooled, 99.9))
    assert (result.ttft.min, result.ttft.max) == (pooled.min(), pooled.max())
    assert (result.ttft.avg, result.ttft.std) == (pytest.approx(pooled.mean()), pytest.approx(pooled.std()))
    assert (result.ttft.unit, result.ttft.direction) == ("ms", "lower")


def test_a_throughput_has_one_value_a_run(result):
    assert result.throughput.count == 3
    assert result.throughput.unit == "requests/s"


def test_an_interval_holds_its_figure(result):
    for statistic in ("avg", "p50"):
        low, high = result.ttft.ci(statistic)
        assert low < getattr(result.ttft, statistic) < high
    low, high = result.throughput.ci()
    assert low < result.throughput.avg < high


def test_what_too_few_requests_cannot_tell_has_no_interval(result):
    assert result.ttft.ci("p99") is None
    assert result.ttft.ci("p75") is None


def test_a_figure_of_zero_has_no_interval_and_breaks_nothing(bench):
    at_once = Result(bench.measure(Server(itl_ms=0.0)))
    assert at_once.itl.p50 == 0
    assert at_once.itl.ci("p50") is None
    assert at_once.to_dict()["time_to_second_token"]["ci95"]["p50"] is None


def test_a_statistic_that_is_not_there_is_named_with_the_nearest(result):
    with pytest.raises(AttributeError, match=r"time_to_first_token has no statistic 'mean'"):
        _ = result.ttft.mean
    with pytest.raises(AttributeError, match="no statistic 'p101'"):
        _ = result.ttft.p101


def test_a_metric_that_is_not_there_is_told_with_the_reason(bench, result):
    with pytest.raises(KeyError, match=r"no metric 'tfft' in this result \(did you mean 'ttft'\?\)"):
        result["tfft"]
    with pytest.raises(
        AttributeError, match="no metric 'speed' in this result: there is: time_to_first_token"
    ):
        _ = result.speed
    whole = Result(bench.measure(streaming=False))
    with pytest.raises(AttributeError, match="no metric 'ttft' in this result: it needs streaming=True"):
        _ = whole.ttft
    silent = Result(bench.measure(Server(usage=False)))
    with pytest.raises(KeyError, match="no request had a value"):
        silent["isl"]


def test_a_result_says_what_became_of_the_measurement(result):
    assert result.verdict == "no_baseline"
    assert result.reason == "there is no baseline yet"
    assert len(result.runs) == 3
    assert list(result.errors) == []
    assert result.osl_source == "usage"
    assert result.validity
    assert "no_baseline" in repr(result)
    assert "time_to_first_token p50=" in repr(result.ttft)


def test_to_dict_is_json_of_builtin_types(result):
    figures = result.to_dict()
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert {"unit", "direction", "count", "min", "max", "std", "ci95", *STATISTICS} == figures[
        "request_latency"
    ].keys()


def test_a_result_can_be_copied_and_pickled(result):
    for again in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert again.ttft.p50 == result.ttft.p50
        assert copy.copy(again.ttft).unit == "ms"
