"""Which figures are judged, and with which tolerance (judge.md 3)."""

from __future__ import annotations

import pytest
from scripted_load import Server

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.measure.judged import judged_metrics


def judged(*, tolerance=None, metrics=None, **options):
    config = to_aiperf_config(CLIConfig(**options), url="http://h", tolerance=tolerance, metrics=metrics)
    return {m.label: (m.tolerance.relative, m.tolerance.floor) for m in judged_metrics(config)}


def test_the_medians_at_five_percent_and_the_tail_at_ten():
    assert judged() == {"ttft p50": (0.05, 0), "itl p50": (0.05, 0), "latency p95": (0.10, 0)}


def test_a_tail_that_too_few_requests_cannot_show_is_not_judged():
    assert "latency p95" not in judged(request_count=199)


def test_medians_of_too_few_requests_stay_in_so_that_nothing_passes_unjudged():
    assert list(judged(request_count=5)) == ["ttft p50", "itl p50"]


def test_answers_of_one_token_have_no_itl():
    assert list(judged(osl=1)) == ["ttft p50", "latency p95"]


def test_without_streaming_the_median_latency_is_judged():
    assert judged(streaming=False) == {"latency p50": (0.05, 0)}


def test_the_user_says_what_is_judged():
    assert judged(metrics=["throughput", "ttft.p90", "ttft.p90"]) == {
        "throughput": (0.05, 0),
        "ttft p90": (0.10, 0),
    }


def test_a_tolerance_brings_its_figure_in():
    assert judged(tolerance={"ttft.p90": "15% or 5ms", "itl": 0.2})["ttft p90"] == (0.15, 5)
    assert judged(tolerance={"itl": 0.2})["itl p50"] == (0.2, 0)


def test_a_tolerance_for_what_this_load_does_not_yield_is_no_error():
    """It may stand in the ini file, for all tests: those that have no such figure are not concerned."""
    assert list(judged(tolerance={"ttft.p99": "15%"})) == ["ttft p50", "itl p50", "latency p95"]
    assert list(judged(tolerance={"ttft.p50": "15%"}, streaming=False)) == ["latency p50"]
    assert list(judged(tolerance={"itl.p50": "15%"}, osl=1)) == ["ttft p50", "latency p95"]


def test_an_open_loop_is_judged_by_the_same_figures_and_never_by_its_throughput():
    assert list(judged(request_rate=10)) == ["ttft p50", "itl p50", "latency p95"]
    assert list(judged(request_rate=10, tolerance={"throughput": "5%"})) == list(judged(request_rate=10))


def test_how_many_requests_a_duration_holds_nobody_knows_so_no_tail_is_judged_unasked():
    load = {"benchmark_duration": 60}
    assert list(judged(**load)) == ["ttft p50", "itl p50"]
    assert list(judged(**load, metrics=["latency.p95"])) == ["latency p95"]


def test_goodput_can_be_judged_where_it_has_limits():
    assert judged(goodput="ttft:400", metrics=["goodput"]) == {"goodput": (0.05, 0)}
    assert judged(tolerance={"goodput": "3%"}, goodput="ttft:400")["goodput"] == (0.03, 0)
    assert "goodput" not in judged(tolerance={"goodput": "3%"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"metrics": ["throughput"], "request_rate": 10},
            "request_throughput cannot be judged: in the open loop it is the rate at which requests are sent",
        ),
        ({"metrics": ["goodput"]}, "goodput cannot be judged: it needs goodput limits"),
        ({"metrics": ["decode_duration"]}, "is not kept in baselines"),
        (
            {"metrics": ["osl"]},
            "output_sequence_length cannot be judged: neither more nor less of it is better",
        ),
        ({"tolerance": {"isl": "5%"}}, "input_sequence_length cannot be judged"),
        ({"metrics": ["ttft.p75"]}, "time_to_first_token.p75 cannot be judged: a baseline holds avg, p50"),
        ({"metrics": ["ttft.p99"]}, "it needs a request_count of at least 1000, got 200"),
        (
            {"metrics": ["itl"], "streaming": False},
            "inter_token_latency.p50 cannot be judged: it needs streaming=True",
        ),
        ({"metrics": ["itl"], "osl": 1}, "it needs an osl of at least 2"),
        ({"metrics": ["speed"]}, "unknown metric 'speed'"),
        (
            {"tolerance": {"ttft.p50": "5s"}},
            "tolerance of time_to_first_token: the floor is in s, the metric in ms",
        ),
    ],
)
def test_what_cannot_be_judged_is_told_before_anything_is_sent(options, message):
    with pytest.raises(ConfigurationError, match=message):
        judged(**options)


def test_a_throughput_is_judged_downwards(bench):
    bench.record(metrics=["throughput"], tolerance={"throughput": "20%"})
    slow = bench.measure(Server().slower(1.5), metrics=["throughput"], tolerance={"throughput": "20%"})
    fast = bench.measure(Server().slower(0.6), metrics=["throughput"], tolerance={"throughput": "20%"})
    assert (slow.verdict, fast.verdict) == ("regressed", "pass")
    assert slow.judgement.comparisons[0].change < 0
    assert fast.judgement.improved
