"""Each metric against a slow and obvious computation of its formula, over runs with everything odd in them."""

from __future__ import annotations

import math

import numpy as np
import obvious
import pytest
from columns import MS, Request, columns_of

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.metrics.base_metric import (
    BaseLevelMetric,
    BaseListMetric,
    BaseRecordMetric,
    BaseRunMetric,
    BaseWindowMetric,
    Window,
)
from pytest_aiperf.metrics.registry import all_metrics
from pytest_aiperf.metrics.sweep import time_at_levels

SLOS = {"time_to_first_token": 40.0, "inter_chunk_latency": 9.0, "e2e_output_token_throughput": 20.0}
METRICS = all_metrics()


def of_kind(*kinds):
    return [tag for tag, metric in METRICS.items() if isinstance(metric, kinds)]


def some_run(seed, *, n=40, usage="all", failures=True):
    """Return requests of every kind: failed, cancelled, cut off, without content, of one message, reconnected."""
    rng = np.random.default_rng(seed)
    requests = []
    for i in range(n):
        plan = float(rng.integers(0, 1000))
        t0 = plan + float(rng.integers(0, 3) * 4)
        sent = t0 + float(rng.integers(0, 2))
        head = sent + float(rng.integers(0, 30))
        content = (head + np.cumsum(rng.integers(0, 12, rng.integers(0, 9)))).tolist()
        counted = usage == "all" or (usage == "some" and i % 3)
        reasoning = int(rng.integers(0, 3)) if counted and i % 2 else ABSENT
        requests.append(
            Request(
                t_plan=plan if i % 7 else None,
                t0=t0,
                t_sent=sent,
                t_hdr=head,
                content=content,
                t_output=content[-1] if reasoning > 0 and content else None,
                end=(content[-1] if content else head) + float(rng.integers(0, 4)),
                outcome=Outcome(int(rng.choice(4, p=[0.7, 0.1, 0.1, 0.1]))) if failures else Outcome.OK,
                connecting=float(i % 5 == 0) * 2,
                sent_bytes=int(rng.integers(100, 9000)),
                received_bytes=int(rng.integers(0, 90000)),
                first_tokens=int(rng.integers(1, 3)),
                input_tokens=int(rng.integers(1, 300)) if counted else ABSENT,
                output_tokens=len(content) + int(rng.integers(0, 5)) if counted else ABSENT,
                reasoning_tokens=reasoning,
                cached_tokens=int(rng.integers(0, 99)) if counted and i % 4 else ABSENT,
                correct=i % 2 if i % 3 else ABSENT,
            )
        )
    return requests


RUNS = {
    "everything": some_run(1),
    "more of it": some_run(2, n=200),
    "nothing fails": some_run(3, failures=False),
    "usage of some": some_run(4, usage="some"),
    "no usage": some_run(5, usage="none"),
    "all failed": [Request(t0=1, content=(2, 3), outcome=Outcome.ERROR, output_tokens=2)] * 3,
    "all cancelled": [Request(t0=1, content=(2, 3), outcome=Outcome.CANCELLED)] * 2,
    "no content": [
        Request(t0=1, end=4, input_tokens=3, output_tokens=0, reasoning_tokens=0, cached_tokens=0)
    ],
    "one message": [Request(t0=1, content=(4,), output_tokens=1), Request(t0=2, content=(9,))],
    "at one moment": [Request(t0=5, content=(5, 5), output_tokens=2, input_tokens=1, t_plan=5)],
    "none": [],
}
EVERY_RUN = pytest.mark.parametrize("requests", RUNS.values(), ids=RUNS)
CONTEXT = {"open_loop": True, "asked_osl": 5, "slos": SLOS}


def test_every_metric_has_an_obvious_formula():
    assert set(of_kind(BaseRecordMetric)) == set(obvious.PER_REQUEST)
    assert set(of_kind(BaseWindowMetric)) == set(obvious.AMOUNTS)
    assert set(of_kind(BaseRunMetric)) == set(obvious.PER_RUN) | set(obvious.AMOUNTS)
    assert of_kind(BaseListMetric) == ["inter_chunk_latency"]


@pytest.mark.parametrize("tag", of_kind(BaseRecordMetric))
def test_values_of_requests(tag):
    for name, requests in RUNS.items():
        for open_loop in (True, False):
            run = columns_of(*requests, **(CONTEXT | {"open_loop": open_loop}))
            expected = obvious.per_request(tag, requests, run.context)
            found = run.of(METRICS[tag])
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("tag", of_kind(BaseRecordMetric))
def test_values_of_some_of_the_requests_in_another_order(tag):
    for name, requests in RUNS.items():
        rows = [i for i in range(len(requests)) if i % 3][::-1]
        whole, some = columns_of(*requests, **CONTEXT), columns_of(*requests, rows=rows, **CONTEXT)
        expected = whole.of(METRICS[tag])[rows]
        if METRICS[tag].counts_failed and not some.failed.any():
            expected[:] = math.nan
        np.testing.assert_array_equal(some.of(METRICS[tag]), expected, err_msg=name)


@pytest.mark.parametrize("tag", obvious.PER_RUN)
def test_values_of_runs(tag):
    for name, requests in RUNS.items():
        run = columns_of(*requests, window_ms=(100, 900), **CONTEXT)
        found = METRICS[tag].value(run)
        expected = obvious.PER_RUN[tag](requests, run.context)
        assert (found is None) == (expected is None), name
        assert found is None or found == pytest.approx(expected, rel=1e-12), name


@pytest.mark.parametrize("tag", obvious.AMOUNTS)
def test_an_amount_is_the_value_times_the_window(tag):
    for name, requests in RUNS.items():
        run = columns_of(*requests, window_ms=(100, 930), **CONTEXT)
        expected = obvious.AMOUNTS[tag](requests, run.context)
        found = METRICS[tag].value(run)
        assert METRICS[tag].amount(run) == expected, name
        assert (found is None) == (expected is None), name
        assert found is None or found * run.window.seconds == pytest.approx(expected, rel=1e-15), name
        assert METRICS[tag].value(columns_of(*requests, window_ms=(930, 930), **CONTEXT)) is None


@EVERY_RUN
@pytest.mark.parametrize("rows", [slice(None), slice(3, 30), [7, 2, 5, 0]], ids=["all", "stretch", "mixed"])
def test_gaps_between_the_messages_of_each_request(requests, rows):
    if isinstance(rows, list) and len(requests) < 8:
        return
    picked = requests[rows] if isinstance(rows, slice) else [requests[i] for i in rows]
    values, lengths = METRICS["inter_chunk_latency"].lists(columns_of(*requests, rows=rows))
    expected = obvious.gaps(picked)
    assert lengths.tolist() == [len(one) for one in expected]
    np.testing.assert_allclose(values, [gap for one in expected for gap in one], atol=1e-9)


@pytest.mark.parametrize("tag", of_kind(BaseLevelMetric))
@pytest.mark.parametrize("name", RUNS)
def test_levels_over_time(tag, name):
    """Against the level in the middle of each millisecond: all stamps are whole ones."""
    requests = RUNS[name]
    start, end = 100, 450
    levels = METRICS[tag].levels(columns_of(*requests, window_ms=(start, end), **CONTEXT))
    spent: dict[float, float] = {}
    for now in range(start, end):
        level, count = obvious.level_at(tag, now + 0.5, requests)
        if count or not tag.startswith("active"):
            spent[round(level, 6)] = spent.get(round(level, 6), 0) + 1e-3
    good = obvious.good(requests)
    needs = {"tokens_in_flight": ("input_tokens", "output_tokens")}
    for side, columns in (
        ("prefill_throughput", ("input_tokens",)),
        ("decode_throughput", ("output_tokens",)),
        ("total_throughput", ("input_tokens", "output_tokens")),
    ):
        needs |= {f"effective_{side}": columns, f"active_{side}": columns}
    unknown = tag in needs and (
        not good or any(getattr(r, column) == ABSENT for r in good for column in needs[tag])
    )
    if unknown or not spent:
        assert levels is None
        return
    found: dict[float, float] = {}
    for level, seconds in zip(levels.level.tolist(), levels.seconds.tolist(), strict=True):
        found[round(level, 6)] = found.get(round(level, 6), 0) + seconds
    assert found == pytest.approx(spent)


@EVERY_RUN
def test_no_metric_gives_what_is_not_a_number(requests):
    run = columns_of(*requests, window_ms=(1, 1), **CONTEXT)
    for metric in METRICS.values():
        if isinstance(metric, BaseLevelMetric):
            assert metric.levels(run) is None
        if isinstance(metric, BaseRunMetric):
            value = metric.value(run)
            assert value is None or math.isfinite(value), metric.tag
        if isinstance(metric, BaseRecordMetric) and not metric.counts_failed:
            assert not np.isinf(run.of(metric)).any(), metric.tag


def test_a_day_of_nanoseconds_loses_nothing():
    day = 86_400_000.0
    run = columns_of(Request(t0=day, content=(day + 0.001,)))
    assert run.of(METRICS["time_to_first_token"]).tolist() == [0.001]
    later = columns_of(Request(t0=day, content=(day + 0.002,)), window_ms=(day, day + 0.002), streaming=True)
    levels = METRICS["effective_concurrency"].levels(later)
    assert (levels.level.tolist(), levels.seconds.tolist()) == ([1.0], [2e-6])
    assert later.window.end_ns - later.window.start_ns == 0.002 * MS


def test_a_level_without_requests_is_exactly_zero():
    """0.1 + 0.2 - 0.1 - 0.2 is not, in floats."""
    levels = time_at_levels(np.array([0, 1]), np.array([10, 12]), Window(0, 20), amount=np.array([0.1, 0.2]))
    assert levels.level[-1] == 0
    assert (levels.seconds * 1e9).tolist() == pytest.approx([1, 9, 2, 8])
