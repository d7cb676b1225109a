"""A page of each known server, made from the names that its documentation or source has, says the right figures."""

from __future__ import annotations

import pytest
from metrics_pages import SECOND, doubled, page, sample

from pytest_aiperf.server_metrics.figures import CounterFigure, GaugeFigure
from pytest_aiperf.server_metrics.known_servers import SERVERS
from pytest_aiperf.server_metrics.window import window_of

TOLD = {
    "vllm": {
        "requests_running": 8,
        "requests_waiting": 2,
        "kv_cache_usage": 0.75,
        "prefix_cache_queries": 4000,
        "prefix_cache_hits": 3000,
        "preemptions": 4,
        "prompt_tokens": 4100,
        "generated_tokens": 5200,
        "requests_served": 40,
        "queue_time": (40, 0.35),
        "prefill_time": (40, 0.05),
        "decode_time": (40, 0.6),
    },
    "sglang": {
        "requests_running": 7,
        "requests_waiting": 3,
        "kv_cache_usage": 0.4,
        "prefix_cache_hit_rate": 0.9,
        "prefix_cache_queries": 1000,
        "prefix_cache_hits": 600,
        "preemptions": 2,
        "prompt_tokens": 1000,
        "generated_tokens": 640,
        "requests_served": 10,
        "queue_time": (10, 0.04),
        "prefill_time": (10, 0.05),
    },
    "tgi": {
        "requests_running": 4,
        "requests_waiting": 6,
        "prompt_tokens": 2400,
        "generated_tokens": 768,
        "requests_served": 24,
        "queue_time": (24, 0.02),
        "prefill_time": (12, 0.05),
        "decode_time": (200, 0.01),
    },
    "llama_cpp": {
        "requests_running": 2,
        "requests_waiting": 1,
        "prompt_tokens": 480,
        "generated_tokens": 960,
        "prefill_time": (None, 1.2),
        "decode_time": (None, 19.2),
    },
    "tensorrt_llm": {
        "requests_running": 6,
        "requests_waiting": 2,
        "kv_cache_usage": 0.55,
        "prefix_cache_hit_rate": 0.61,
        "prefix_cache_queries": 40,
        "prefix_cache_hits": 30,
        "prompt_tokens": 2222,
        "generated_tokens": 1111,
        "requests_served": 20,
        "queue_time": (20, 0.3),
        "prefill_time": (20, 0.04),
        "decode_time": (20, 0.25),
    },
    "triton": {
        "requests_running": 4,
        "requests_waiting": 5,
        "kv_cache_usage": 0.3,
        "requests_served": 12,
        "queue_time": (35, 0.02),
    },
}
NAMES = dict(zip(TOLD, ("vLLM", "SGLang", "TGI", "llama.cpp", "TensorRT-LLM", "Triton"), strict=True))


def figures(window):
    found = {}
    for name, figure in window.figures.items():
        if isinstance(figure, GaugeFigure):
            found[name] = figure.mean
        elif isinstance(figure, CounterFigure):
            found[name] = figure.delta
        else:
            found[name] = (figure.count, figure.mean if figure.count else figure.sum)
    return found


@pytest.mark.parametrize("name", TOLD)
def test_a_page_says_all_that_the_table_has_of_its_server(name):
    text = page(name)
    looks = [sample(text, 9), sample(text, 10.5), sample(doubled(text), 12)]
    window = window_of(looks, 10 * SECOND, 11 * SECOND)
    assert window.pages[0].server == NAMES[name]
    assert not window.notes
    told = figures(window)
    assert told.keys() == TOLD[name].keys()
    for quantity, value in TOLD[name].items():
        assert told[quantity] == pytest.approx(value), quantity


def test_every_known_server_has_a_page_here():
    assert [server.name for server in SERVERS] == list(NAMES.values())


def test_the_hit_rate_is_of_the_window_where_counters_tell_it():
    """SGLang's own rate is of its last batches, TensorRT-LLM's of all since its start."""
    for name, rate in (("vllm", 0.75), ("sglang", 0.6), ("tensorrt_llm", 0.75)):
        text = page(name)
        window = window_of([sample(text, 0), sample(doubled(text), 2)], SECOND // 2, SECOND)
        assert window.hit_rate == pytest.approx(rate), name


def test_vllm_behind_triton_is_vllm_and_what_only_triton_tells_is_there_too():
    text = page("triton") + page("vllm").replace("vllm:request_success", "vllm:other")
    window = window_of([sample(text, 0), sample(doubled(text), 2)], 0, 2 * SECOND)
    assert window.pages[0].server == "vLLM"
    assert window.counter("requests_served").delta == 12
    assert window.counter("generated_tokens").delta == 5200
    assert window.times("queue_time").mean == pytest.approx(0.35)
