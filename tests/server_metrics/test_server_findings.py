"""Each rule fires on what it is for, and on nothing less."""

from __future__ import annotations

import pytest
from metrics_pages import SECOND, sample

from pytest_aiperf.server_metrics import findings
from pytest_aiperf.server_metrics.figures import (
    CounterFigure,
    GaugeFigure,
    PageSpan,
    ServerWindow,
    TimesFigure,
)
from pytest_aiperf.server_metrics.window import window_of

PAGE = PageSpan(url="http://server/metrics", server="vLLM", samples=3, before_s=0.1, after_s=0.1)


def window(*, page=PAGE, **figures):
    return ServerWindow(span_s=10.0, figures=figures, pages=(page,))


def served(requests=None, tokens=None, page=PAGE):
    told = {"requests_served": requests, "generated_tokens": tokens}
    counted = {
        name: CounterFigure(delta=value, per_s=value / 10)
        for name, value in told.items()
        if value is not None
    }
    return window(page=page, **counted)


def waiting(mean):
    return window(requests_waiting=GaugeFigure(mean=mean, max=mean, samples=9))


def queued(mean_s):
    return window(queue_time=TimesFigure(count=10, sum=mean_s * 10, mean=mean_s))


def hits(rate):
    return window(
        prefix_cache_hits=CounterFigure(delta=rate * 1000, per_s=1),
        prefix_cache_queries=CounterFigure(delta=1000, per_s=1),
    )


def preempted(count, of=100):
    return window(
        preemptions=CounterFigure(delta=count, per_s=1), requests_served=CounterFigure(delta=of, per_s=1)
    )


def test_requests_that_are_not_ours_are_told():
    sentence = findings.foreign_requests(served(130), 100, tolerance=0.02)
    assert sentence == (
        "the server served 30 requests more than the 100 of this measurement: somebody else uses it"
    )


@pytest.mark.parametrize("count", [90, 100, 102])
def test_fewer_or_hardly_more_are_ours(count):
    """A request that failed or was cancelled may or may not have been counted."""
    assert findings.foreign_requests(served(count), 100, tolerance=0.02) is None


def test_a_server_that_counts_no_requests_is_asked_for_tokens():
    told = findings.foreign_requests(served(tokens=5000), 100, tolerance=0.02, our_tokens=4000)
    assert "1000 tokens more than the 4000" in told
    assert findings.foreign_requests(served(tokens=5000), 100, tolerance=0.02) is None
    assert findings.foreign_requests(served(100, 5000), 100, tolerance=0.02, our_tokens=4000) is None


@pytest.mark.parametrize("change", [{"restarted": True}, {"before_s": 5.0}, {"after_s": 5.0}])
def test_counters_that_say_nothing_of_the_window_accuse_nobody(change):
    """Other requests of ours may be among them."""
    page = PAGE.model_copy(update=change)
    assert findings.foreign_requests(served(130, page=page), 100, tolerance=0.02) is None


def test_a_restart_is_told():
    restarted = PAGE.model_copy(update={"restarted": True})
    assert findings.server_restarted(window(page=restarted)) == (
        "the server behind http://server/metrics was restarted while it was measured"
    )
    assert findings.server_restarted(window()) is None


@pytest.mark.parametrize(
    ("rule", "side", "before", "now", "words"),
    [
        (findings.queueing_grew, waiting, 0.0, 4.2, "in the server's queue: 0.0 -> 4.2 on average"),
        (findings.queueing_grew, queued, 0.010, 0.050, "queue: 10.0 -> 50.0 ms on average"),
        (findings.cache_hits_fell, hits, 0.80, 0.10, "prefix cache: 80% -> 10%"),
        (findings.preemptions_rose, preempted, 0, 5, "KV cache: 0.0 -> 5.0 per 100 requests"),
    ],
)
def test_a_cause_is_named_and_its_opposite_is_not(rule, side, before, now, words):
    assert words in rule([side(before)], [side(now)])
    assert rule([side(now)], [side(before)]) is None
    assert findings.causes([side(before)], [side(now)]) == [rule([side(before)], [side(now)])]
    assert not findings.causes([side(before)], [side(before)])


@pytest.mark.parametrize(
    ("rule", "side", "before", "now"),
    [
        (findings.queueing_grew, waiting, 0.0, 0.4),
        (findings.queueing_grew, waiting, 10.0, 13.0),
        (findings.queueing_grew, queued, 0.001, 0.004),
        (findings.queueing_grew, queued, 0.100, 0.140),
        (findings.cache_hits_fell, hits, 0.80, 0.76),
        (findings.preemptions_rose, preempted, 0, 0.5),
        (findings.preemptions_rose, preempted, 10, 14),
    ],
)
def test_what_may_be_noise_is_no_cause(rule, side, before, now):
    assert rule([side(before)], [side(now)]) is None


def test_one_odd_run_names_no_cause():
    calm, odd = waiting(0.1), waiting(50.0)
    assert findings.queueing_grew([calm] * 3, [calm, odd, calm]) is None
    assert findings.queueing_grew([calm] * 3, [odd, odd, calm]) is not None


@pytest.mark.parametrize("rule", findings.RULES)
def test_without_figures_on_both_sides_nothing_is_named(rule):
    assert rule([], []) is None
    assert rule([window()], [window()]) is None
    full = ServerWindow(
        span_s=1,
        figures=waiting(50).figures | hits(0.0).figures | preempted(99).figures,
    )
    assert rule([window()], [full]) is None
    assert rule([full], []) is None


def test_a_cache_that_nothing_was_looked_up_in_has_no_rate():
    idle = window(
        prefix_cache_hits=CounterFigure(delta=0, per_s=0),
        prefix_cache_queries=CounterFigure(delta=0, per_s=0),
    )
    assert idle.hit_rate is None
    assert findings.cache_hits_fell([hits(0.9)], [idle]) is None


def test_a_second_tenant_is_found_by_the_counters_of_a_page():
    """From the page to the sentence."""
    looks = [
        sample(f'vllm:request_success_total{{finished_reason="length"}} {count}\n', at)
        for count, at in ((1000, 9.9), (1150, 20.1))
    ]
    told = findings.foreign_requests(window_of(looks, 10 * SECOND, 20 * SECOND), 100, tolerance=0.02)
    assert "served 50 requests more than the 100" in told
