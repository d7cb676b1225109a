"""What is read of a page, and what makes it no page."""

from __future__ import annotations

import pytest
from metrics_pages import page

from pytest_aiperf.server_metrics.page import MAX_SERIES, NotMetricsError, PageReader


def read(text):
    return PageReader().read(text)


def told(text):
    """The values by quantity."""
    return {key.quantity: value for key, value in read(text).series.items()}


@pytest.mark.parametrize(
    "line",
    [
        "vllm:generation_tokens_total 7",
        "vllm:generation_tokens_total 7.0",
        "vllm:generation_tokens_total  7",
        "vllm:generation_tokens_total\t7",
        "vllm:generation_tokens_total 7 1700000000000",
        'vllm:generation_tokens_total{model_name="m"} 7 1700000000000',
        'vllm:generation_tokens_total{model_name="m"} 7.0 # {trace_id="a b}"} 0.5 1700000000.5',
        'vllm:generation_tokens_total{model_name="} # \\" 9"} 7',
        'vllm:generation_tokens_total{model_name="ü",} 7',
        "vllm_generation_tokens_total 7",
    ],
)
def test_all_ways_to_write_a_sample_are_read(line):
    """Time stamps, exemplars, escapes; a _ for the colon, as some exporters have it."""
    assert told(line + "\n") == {"generated_tokens": 7.0}


def test_the_second_look_at_a_page_gives_the_same_and_new_values():
    """The label sets are remembered, the values are not."""
    reader, text = PageReader(), page("vllm")
    first = reader.read(text)
    assert reader.read(text) == first
    later = reader.read(text.replace("5200.0", "5300.0"))
    assert [
        later.series[key] - value for key, value in first.series.items() if later.series[key] != value
    ] == [100.0]


@pytest.mark.parametrize("value", ["NaN", "nan", "+Inf", "-Inf", "1e400", "-1e31"])
def test_what_is_no_figure_is_absent(value):
    """Not 0: a server that divides by nothing says NaN."""
    text = f"vllm:num_requests_running {value}\nvllm:num_requests_waiting 3\n"
    assert told(text) == {"requests_waiting": 3.0}


def test_a_number_too_long_for_a_float_is_absent():
    digits = "9" * 4_000
    assert told(f"vllm:num_requests_running {digits} 1\nvllm:num_requests_waiting 3\n") == {
        "requests_waiting": 3.0
    }


def test_the_present_name_counts_where_a_page_has_the_old_one_too():
    text = "vllm:gpu_cache_usage_perc 0.9\nvllm:kv_cache_usage_perc 0.2\n"
    assert told(text) == {"kv_cache_usage": 0.2}
    assert told("\n".join(reversed(text.splitlines())) + "\n") == {"kv_cache_usage": 0.2}


def test_ranks_of_one_engine_tell_the_same_figure_once_more():
    """Tensor-parallel ranks are copies; data-parallel ones are not."""
    lines = [
        f'sglang:num_queue_reqs{{dp_rank="{dp}",tp_rank="{tp}"}} {3 + dp}' for dp in (0, 1) for tp in (0, 1)
    ]
    assert sorted(read("\n".join(lines) + "\n").series.values()) == [3.0, 4.0]


def test_a_page_without_anything_known_is_a_page():
    found = read('# HELP go_goroutines Of something else.\ngo_goroutines 5\nup{job="x"} 1\n')
    assert found.server is None
    assert not found.series
    assert read("").server is None


def test_what_the_page_tells_of_arguments_is_told():
    found = read(page("vllm"))
    assert found.arguments["gpu_memory_utilization"] == "0.9"
    assert found.started_s == 1764000000.12


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<!doctype html>\n<p>vllm</p>\n", "first line is no sample"),
        ('{"vllm": 1}\n', "first line is no sample"),
        ("Not Found\n", "first line is no sample"),
        ("\x00\x01\x02\n", "first line is no sample"),
        ("sorry, an error occurred\n", "first line is no sample"),
        (
            "up 1\nvllm:generation_tokens_total seven\n",
            "cannot be read: 'vllm:generation_tokens_total seven'",
        ),
        ("up 1\nvllm:generation_tokens_total\n", "cannot be read"),
        ("up 1\nvllm:generation_tokens_total 1_000\n", "cannot be read"),
        ('up 1\nvllm:generation_tokens_total{model_name="m\n', "cannot be read"),
        ("up 1\nvllm:generation_tokens_total{model_name=m} 1\n", "cannot be read"),
        ('up 1\nvllm:request_queue_time_seconds_bucket{le="x"} 1\n', "has a bucket at 'x'"),
        ("up 1\nvllm:request_queue_time_seconds_bucket 1\n", "has a bucket at ''"),
        ('up 1\nnv_inference_queue_summary_us{quantile="9"} 1\n', "has a quantile at '9'"),
        (f"up 1\nvllm:generation_tokens_total {'0' * 9_000}1\n", "more than 4096 characters"),
    ],
)
def test_what_is_not_in_the_format_is_no_page(text, words):
    with pytest.raises(NotMetricsError, match=words):
        read(text)


def test_a_page_with_more_label_sets_than_any_server_has_is_not_read():
    lines = (f'vllm:num_requests_running{{engine="{i}"}} 1\n' for i in range(MAX_SERIES + 1))
    with pytest.raises(NotMetricsError, match=f"more than {MAX_SERIES} samples"):
        read("".join(lines))


def test_label_values_stand_nowhere_in_what_is_kept():
    """They may name models, users or hosts."""
    keys = read('vllm:num_requests_running{model_name="secret-project"} 1\n').series
    assert "secret-project" not in repr(keys)
