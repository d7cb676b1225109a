"""What a test gets to assert on."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from scripted_load import Server

from pytest_aiperf.measure.result import Result
from pytest_aiperf.metrics.registry import ALIASES, STATISTICS, all_metrics


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
    assert (result.ttft.min, result.ttft.max) == (pooled.min(), pooled.max())
    assert (result.ttft.avg, result.ttft.std) == (pytest.approx(pooled.mean()), pytest.approx(pooled.std()))
    assert (result.ttft.unit, result.ttft.direction) == ("ms", "lower")


def test_a_p999_takes_ten_thousand_values(result, bench):
    with pytest.raises(
        AttributeError, match=r"time_to_first_token has no p99_9: it takes 10000 values, and there are 180"
    ):
        _ = result.ttft.p99_9
    many = Result(bench.measure(request_count=3400))
    pooled = many.measurement.pooled["time_to_first_token"]
    assert many.ttft.count == 10_200
    assert many.ttft.p99_9 == many.ttft.p999 == pytest.approx(np.percentile(pooled, 99.9))
    assert many.ttft.p99_5 == pytest.approx(np.percentile(pooled, 99.5))
    assert many.to_dict()["time_to_first_token"]["p99_9"] == many.ttft.p999
    assert "p99_9" not in many.to_dict()["request_throughput"]


def test_every_metric_that_the_load_has_is_there(result):
    expected = {
        tag
        for tag, metric in all_metrics().items()
        if not (metric.open_loop_only or metric.slos_only or metric.graded_only or tag.startswith("adj_"))
    } - {  # the scripted server tells no reasoning and no cached tokens
        "reasoning_token_count",
        "total_reasoning_tokens",
        "thinking_efficiency",
        "overall_thinking_efficiency",
        "usage_prompt_cache_read_tokens",
        "total_usage_reasoning_tokens",
        "total_usage_prompt_cache_read_tokens",
        "overall_usage_prompt_cache_read_pct",
    }
    assert result.to_dict().keys() == expected


def test_counts_of_none_are_zeros(result):
    for tag in ("error_request_count", "cancelled_request_count", "truncated_request_count"):
        assert (result[tag].count, result[tag].sum, result[tag].max) == (3, 0, 0)
    assert result.request_count.sum == 180


def test_levels_are_statistics_over_time(result):
    concurrency = result.effective_concurrency
    assert concurrency.avg == pytest.approx(2)  # a closed loop of two slots
    assert (concurrency.p50, concurrency.max, concurrency.sum) == (2, 2, None)
    assert result.effective_prefill_concurrency.avg + result.effective_decode_concurrency.avg == (
        pytest.approx(2)
    )
    assert result.effective_total_throughput.avg == pytest.approx(
        result.effective_prefill_throughput.avg + result.effective_decode_throughput.avg
    )


def test_goodput_is_there_where_limits_are_given_and_baselines_keep_it(bench):
    result = Result(bench.measure(goodput={"ttft": 50.0, "itl": 5.0}))
    good = result.good_request_count
    assert 0 < good.sum < 180
    for run, count in zip(result.runs, result.measurement.pooled["good_request_count"], strict=True):
        assert run.metrics["goodput"].value * run.window_s == pytest.approx(count, rel=1e-15)
    assert result.goodput.ci() is not None


def test_failures_are_infinitely_slow_in_the_adjusted_metrics_only(bench):
    result = Result(bench.measure(Server(failed=0.04)))
    failed = sum(run.n_err for run in result.runs)
    assert result.error_request_count.sum == failed > 0
    assert result.adj_request_latency.count == result.latency.count + failed == 180
    assert np.isfinite(result.latency.max)
    assert result.adj_request_latency.p99 == np.inf
    assert result.adj_request_latency.p50 >= result.latency.p50
    figures = result.to_dict()["adj_request_latency"]
    assert (figures["max"], figures["avg"], figures["std"]) == (None, None, None)
    assert figures["p50"] == result.adj_request_latency.p50


def test_a_throughput_has_one_value_a_run(result):
    assert result.throughput.count == 3
    assert result.throughput.unit == "requests/s"


def test_an_interval_holds_its_figure(result):
    for statistic in ("avg", "p50"):
        low, high = result.ttft.ci(statistic)
        assert low < getattr(result.ttft, statistic) < high
    low, high = result.throughput.ci()
    assert low < result.throughput.avg < high


def test_what_baselines_do_not_keep_has_no_interval(result):
    assert result.decode_duration.ci("p50") is None
    assert result.request_count.ci() is None
    assert result.effective_concurrency.ci("avg") is None


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
    for tag, needs in {
        "effective_latency": "needs requests with due times",
        "goodput": "needs limits, such as goodput='ttft:400 itl:20'",
        "adj_request_latency": "no request failed",
    }.items():
        with pytest.raises(KeyError, match=needs):
            result[tag]


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
    names = {"unit", "direction", "count", "sum", "min", "max", "std", "ci95", *STATISTICS}
    assert {frozenset(metric) for metric in figures.values()} == {frozenset(names)}


def test_a_result_can_be_copied_and_pickled(result):
    for again in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert again.ttft.p50 == result.ttft.p50
        assert copy.copy(again.ttft).unit == "ms"
