"""From samples to the figures of a window: exact, finite, and told where they are not what they seem."""

from __future__ import annotations

import json
import math

import pytest
from metrics_pages import SECOND, counter, doubled, gauge, page, sample

from pytest_aiperf.server_metrics.figures import Quantile, ServerWindow
from pytest_aiperf.server_metrics.quantile import quantiles_of
from pytest_aiperf.server_metrics.window import window_of

TOKENS, WAITING = "generated_tokens", "requests_waiting"
OTHER = "http://other:8000/metrics"


def over(samples, start_s=10, end_s=20):
    return window_of(samples, start_s * SECOND, end_s * SECOND)


def test_a_counter_goes_from_the_last_sample_before_to_the_first_one_behind():
    """Samples farther out would count requests of another run."""
    looks = [counter(value, at) for value, at in ((0, 1), (100, 9), (150, 15), (300, 21), (900, 30))]
    window = over(looks)
    assert window.counter(TOKENS).delta == 200
    assert window.counter(TOKENS).per_s == pytest.approx(200 / 12)
    assert (window.pages[0].samples, window.pages[0].before_s, window.pages[0].after_s) == (3, 1.0, 1.0)
    assert not window.notes


def test_samples_may_come_in_any_order():
    looks = [counter(value, at) for value, at in ((300, 21), (100, 9), (150, 15))]
    assert over(looks).counter(TOKENS).delta == 200


def test_a_sample_that_was_under_way_at_the_start_is_not_before_it():
    looks = [counter(100, 9), counter(120, 9.9, took_s=0.5), counter(300, 21)]
    assert over(looks).counter(TOKENS).delta == 200


@pytest.mark.parametrize("values", [(100, 20, 300), (100, 150, 140), (100, 200, 0)])
def test_a_counter_that_goes_back_is_a_restart_never_a_figure(values):
    looks = [counter(value, at) for value, at in zip(values, (9, 15, 21), strict=True)]
    window = over(looks)
    assert window.counter(TOKENS) is None
    assert window.restarted
    assert "was restarted within the window" in window.notes[0]


def test_one_counter_that_goes_back_takes_all_of_its_page_with_it():
    """The other one grew past what it was: its growth would look right, and is not. Gauges stay."""
    looks = [
        sample(
            f"vllm:generation_tokens_total {a}\nvllm:prompt_tokens_total {b}\nvllm:num_requests_waiting 3\n",
            at,
        )
        for a, b, at in ((100, 5, 9), (110, 6, 12), (20, 40, 21))
    ]
    window = over(looks)
    assert list(window.figures) == [WAITING]


def test_a_restart_is_seen_by_the_start_of_the_process_too():
    """Counters that were at 0 before never go back."""
    looks = [
        sample(f"vllm:generation_tokens_total {value}\nprocess_start_time_seconds {start}\n", at)
        for value, start, at in ((0, 1.7e9, 9), (5, 1.8e9, 21))
    ]
    assert over(looks).restarted
    assert over(looks).counter(TOKENS) is None


def test_a_restart_outside_the_window_is_none():
    looks = [counter(value, at) for value, at in ((500, 1), (10, 5), (20, 9), (60, 21), (0, 30))]
    assert over(looks).counter(TOKENS).delta == 40
    assert not over(looks).restarted


def test_sums_that_were_added_up_in_another_order_did_not_go_back():
    text = "vllm:request_queue_time_seconds_sum{} %.17g\nvllm:request_queue_time_seconds_count 3\n"
    looks = [sample(text % (0.1 + 0.2 + 0.3), 9), sample(text % (0.3 + 0.2 + 0.1), 21)]
    assert over(looks).times("queue_time").sum == 0.0


def test_a_label_set_that_came_later_began_at_zero():
    one = 'vllm:request_success_total{finished_reason="stop"} %d\n'
    more = 'vllm:request_success_total{finished_reason="length"} %d\n'
    looks = [sample(one % 10, 9), sample(one % 14 + more % 3, 21)]
    assert over(looks).counter("requests_served").delta == 7


def test_a_label_set_that_went_away_counts_as_far_as_it_was_seen():
    one = 'vllm:request_success_total{finished_reason="stop"} %d\n'
    more = 'vllm:request_success_total{finished_reason="length"} %d\n'
    looks = [sample(one % 10 + more % 1, 9), sample(one % 11 + more % 3, 15), sample(one % 14, 21)]
    assert over(looks).counter("requests_served").delta == 6


def test_one_sample_says_nothing_of_counters():
    window = over([counter(100, 15)])
    assert not window.figures
    assert "one sample only" in window.notes[0]


def test_without_samples_there_is_an_empty_window():
    assert over([]) == ServerWindow(span_s=10.0)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (2, 21, "begin 8.0 s before the window"),
        (9, 25, "end 5.0 s behind it"),
        (15, 21, "leave out the first 5.0 s and the last 0.0 s"),
    ],
)
def test_counters_of_more_or_less_than_the_window_are_told(first, last, words):
    (note,) = over([counter(1, first), counter(2, last)]).notes[:1]
    assert words in note


def test_a_gauge_is_weighted_by_time():
    """Samples at 11, 12 and 18 stand for 1.5, 3.5 and 5 seconds."""
    window = over([gauge(0, 9), gauge(10, 11), gauge(20, 12), gauge(2, 18), gauge(99, 21)])
    figure = window.gauge(WAITING)
    assert figure.mean == pytest.approx((10 * 1.5 + 20 * 3.5 + 2 * 5) / 10)
    assert (figure.max, figure.samples) == (20, 3)


def test_the_idle_server_before_and_behind_a_run_is_no_part_of_it():
    window = over([gauge(0, 9.9), gauge(0, 20.1)])
    assert window.gauge(WAITING) is None
    assert "no sample lies inside the window" in window.notes[-1]


def test_samples_at_one_moment_share_its_time():
    assert over([gauge(2, 15), gauge(4, 15)]).gauge(WAITING).mean == 3.0


def test_a_window_without_length_has_figures_all_the_same():
    window = window_of([gauge(1, 9), gauge(2, 10), gauge(5, 11)], 10 * SECOND, 10 * SECOND)
    assert window.gauge(WAITING).mean == 2.0


def test_pages_of_several_servers_are_taken_together():
    """What is added is added, the fullest cache counts, and each page has a span of its own."""
    text = "vllm:generation_tokens_total {}\nvllm:kv_cache_usage_perc {}\nvllm:num_requests_running 4\n"
    looks = [
        sample(text.format(tokens, cache), at, url=url)
        for url, cache, values in ((OTHER, 0.9, (0, 10, 20)), ("http://a/metrics", 0.1, (0, 5, 5)))
        for tokens, at in zip(values, (9, 15, 21), strict=True)
    ]
    window = over(looks)
    assert window.counter(TOKENS).delta == 25
    assert window.gauge("requests_running").mean == pytest.approx(8)
    assert window.gauge("kv_cache_usage").max == pytest.approx(0.9)
    assert [one.url for one in window.pages] == [OTHER, "http://a/metrics"]


def test_quantiles_are_interpolated_and_their_buckets_told():
    """Of 40 queue times of the vLLM page 20 lie below 0.3 s, 16 in 0.3 to 0.5 s, 2 above 0.8 s."""
    text = page("vllm")
    times = over([sample(text, 9), sample(doubled(text), 21)]).times("queue_time")
    assert times.quantiles["p50"] == Quantile(value=0.3, low=0.0, high=0.3)
    p90 = times.quantiles["p90"]
    assert (p90.low, p90.high) == (0.3, 0.5)
    assert p90.value == pytest.approx(0.5)
    assert times.quantiles["p99"] == Quantile(low=0.8)


@pytest.mark.parametrize("truth", [0.05, 0.31, 0.77])
def test_a_quantile_lies_in_the_bucket_that_is_told(truth):
    """Against the times themselves."""
    times = sorted((truth * (i % 17 + 1) / 9) for i in range(1000))
    edges = [0.01, 0.1, 0.2, 0.5, 1.0, math.inf]
    found = quantiles_of({edge: float(sum(time <= edge for time in times)) for edge in edges})
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        exact = times[math.ceil(share * len(times)) - 1]
        assert found[name].low <= exact <= (math.inf if found[name].high is None else found[name].high)


@pytest.mark.parametrize("counts", [[0.0, 0.0], []])
def test_without_observations_there_are_no_quantiles(counts):
    assert quantiles_of(dict(zip([0.1, math.inf], counts, strict=False))) == {}


def test_label_sets_with_other_buckets_have_a_mean_and_no_quantiles():
    """Two versions of a server behind one page: their buckets cannot be added up."""
    text = (
        'vllm:request_queue_time_seconds_bucket{{engine="{0}",le="{1}"}} {2}\n'
        'vllm:request_queue_time_seconds_bucket{{engine="{0}",le="+Inf"}} {2}\n'
        'vllm:request_queue_time_seconds_sum{{engine="{0}"}} {2}\n'
        'vllm:request_queue_time_seconds_count{{engine="{0}"}} {2}\n'
    )
    looks = [sample(text.format(0, 0.1, n) + text.format(1, 0.2, n), at) for n, at in ((1, 9), (5, 21))]
    times = over(looks).times("queue_time")
    assert (times.count, times.mean, times.quantiles) == (8, 1.0, {})


def test_a_summary_is_taken_as_it_is():
    """Triton's, in microseconds. Its quantiles may fall: they are no counters."""
    text = (
        'nv_inference_queue_summary_us_count{{model="m"}} {0}\nnv_inference_queue_summary_us_sum{{model="m"}} {1}\n'
        'nv_inference_queue_summary_us{{model="m",quantile="0.5"}} {2}\n'
        'nv_inference_queue_summary_us{{model="m",quantile="0.999"}} {3}\n'
        'nv_inference_queue_duration_us{{model="m"}} 5\n'
    )
    looks = [sample(text.format(10, 4e6, 900, 5000), 9), sample(text.format(30, 5e6, 700, "NaN"), 21)]
    times = over(looks).times("queue_time")
    assert (times.count, times.mean) == (20, pytest.approx(0.05))
    assert list(times.quantiles) == ["p50"]
    assert times.quantiles["p50"].value == pytest.approx(700e-6)


def test_a_window_goes_into_a_document_and_back():
    """I5, D5: strict JSON, and equal when it is read again."""
    for name in ("vllm", "sglang", "tgi", "llama_cpp", "tensorrt_llm", "triton"):
        text = page(name)
        window = over([sample(text, 9), sample(text, 15), sample(doubled(text), 21)])
        stored = json.loads(json.dumps(window.to_builtin(), allow_nan=False))
        assert ServerWindow.from_builtin(stored) == window


def test_figures_at_the_edge_of_what_a_page_may_have_are_finite():
    """I2: sums of the largest figures that are read, and times without a count."""
    text = "".join(f'vllm:generation_tokens_total{{{{engine="{i}"}}}} {{0}}e30\n' for i in range(500))
    text += "vllm:request_queue_time_seconds_sum {0}e30\nvllm:request_queue_time_seconds_count 1e-300\n"
    looks = [sample(text.format(0), 9), sample(text.format(1), 9.000000001)]
    window = window_of(looks, 9 * SECOND, 9 * SECOND)
    json.dumps(window.to_builtin(), allow_nan=False)
    assert math.isfinite(window.counter(TOKENS).per_s)
