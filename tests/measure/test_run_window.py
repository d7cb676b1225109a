"""One run: which requests count, and what is computed over them (engine.md 5, judge.md 4)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scripted_load import Server, answered

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.measure.run_data import pooled_levels, pooled_values, summarise
from pytest_aiperf.measure.run_window import RunWindow, context_of, run_window_of
from pytest_aiperf.measure.workload import build_workload
from pytest_aiperf.metrics.base_metric import MetricContext
from pytest_aiperf.metrics.registry import all_metrics


def config_of(*, concurrency=4, request_count=60, osl=4, streaming=True, isl=8):
    return AIPerfConfig.model_validate(
        {
            "endpoint": {"url": "http://127.0.0.1:9", "streaming": streaming},
            "load": {"concurrency": concurrency, "request_count": request_count},
            "input": {"isl": isl, "osl": osl},
        }
    )


def run_of(server=Server(), *, streaming=True, threshold_ms=None, **load):  # noqa: B008 (frozen)
    config = config_of(streaming=streaming, **load)
    workload = build_workload(config, model="m")
    plan = LoadPlan(
        url="http://h/x", bodies=workload.bodies, concurrency=config.load.concurrency, streaming=streaming
    )
    batch = answered(plan, server, seed=1)
    return summarise(
        batch,
        run_window_of(config, workload),
        context=context_of(config, workload, graded=False),
        stall_threshold_ms=threshold_ms,
    )


@pytest.mark.parametrize(("concurrency", "warm_up"), [(1, 20), (4, 20), (10, 20), (11, 22), (64, 128)])
def test_a_run_sends_warm_up_measured_and_what_keeps_the_slots_full(concurrency, warm_up):
    workload = build_workload(config_of(concurrency=concurrency, request_count=60), model="m")
    assert workload.warm_up == warm_up
    assert len(workload.bodies) == warm_up + 60 + concurrency - 1


def test_no_two_requests_of_a_run_are_equal():
    workload = build_workload(config_of(concurrency=16, request_count=500), model="m")
    assert len(set(workload.bodies)) == len(workload.bodies)


def test_the_digest_changes_with_anything_that_is_sent():
    digests = {
        build_workload(config_of(**change), model=model).digest
        for change in (
            {},
            {"osl": 5},
            {"isl": 9},
            {"concurrency": 5},
            {"request_count": 70},
            {"streaming": False},
        )
        for model in ("m", "n")
    }
    assert len(digests) == 12
    assert build_workload(config_of(), model="m").digest == build_workload(config_of(), model="m").digest


@pytest.mark.parametrize("concurrency", [1, 2, 7, 32])
def test_exactly_the_measured_requests_lie_in_the_window(concurrency):
    run = run_of(concurrency=concurrency)
    assert run.inside.sum() == run.summary.n_ok == 60
    ends = run.batch.t_end[run.inside]
    assert run.window.start_ns < ends.min()
    assert ends.max() == run.window.end_ns


def test_the_window_begins_with_the_last_warm_up_completion():
    run = run_of(concurrency=4)
    assert run.window.start_ns == np.sort(run.batch.t_end)[20 - 1]


@pytest.mark.parametrize("concurrency", [1, 4, 32])
def test_no_slot_stands_empty_before_the_window_ends(concurrency):
    """The last request is sent not later than the first completion that could not be followed by another."""
    run = run_of(concurrency=concurrency)
    sent_after = run.batch.t0 > run.window.end_ns
    assert not sent_after.any()
    in_flight = ((run.batch.t0 <= run.window.end_ns - 1) & (run.batch.t_end >= run.window.end_ns)).sum()
    assert in_flight == concurrency


def test_throughput_times_window_is_the_count():
    run = run_of(Server(failed=0.1))
    requests = run.summary.metrics["request_throughput"].value * run.summary.window_s
    tokens = run.summary.metrics["output_token_throughput"].value * run.summary.window_s
    good = run.inside & (run.batch.outcome == Outcome.OK)
    assert requests == pytest.approx(good.sum(), rel=1e-12)
    assert tokens == pytest.approx(4 * good.sum(), rel=1e-12)


def test_statistics_are_those_of_the_values_in_the_window():
    run = run_of()
    values = run.values["time_to_first_token"]
    found = run.summary.metrics["time_to_first_token"]
    assert (found.count, found.avg) == (60, pytest.approx(values.mean()))
    assert (found.p50, found.p90) == (
        pytest.approx(np.percentile(values, 50)),
        pytest.approx(np.percentile(values, 90)),
    )
    assert (found.min, found.max, found.std) == (values.min(), values.max(), pytest.approx(values.std()))
    assert sum(found.hist.count) == 60
    assert found.var_within["p50"] > 0


def test_a_p99_needs_a_thousand_requests():
    assert run_of().summary.metrics["request_latency"].p99 is None
    many = run_of(request_count=1000).summary.metrics["request_latency"]
    assert many.p99 == pytest.approx(np.percentile(run_of(request_count=1000).values["request_latency"], 99))


def test_failed_requests_push_latency_quantiles_up_and_never_down():
    """Counted as infinitely slow: the survivors of timeouts must not look fast."""
    run = run_of(Server(failed=0.2))
    found = run.summary.metrics["request_latency"]
    values = run.values["request_latency"]
    assert (run.summary.n_ok, run.summary.n_err) == (48, 12)
    assert found.count == 48
    assert found.p50 > np.percentile(values, 50)
    assert found.p90 is None  # infinite: more than a tenth failed


def test_truncated_requests_are_failed_ones():
    assert run_of(Server(truncated=0.2)).summary.n_err == 12


def test_stalls_are_counted_over_the_stored_threshold():
    run = run_of(Server(stalled=0.1), threshold_ms=100.0)
    assert run.summary.stalls.count == 6
    assert run_of().summary.stalls is None


def test_messages_that_all_came_at_once_give_zeros_not_an_error():
    run = run_of(Server(itl_ms=0.0))
    assert run.summary.metrics["inter_token_latency"].p50 == 0
    assert run.summary.metrics["inter_token_latency"].var_within["p50"] is None
    assert sum(run.summary.metrics["inter_token_latency"].hist.count) == 60


def test_a_run_cut_short_before_the_window_has_no_figures():
    run = run_of(Server(ends_after=10))
    assert (run.summary.n_ok, run.summary.window_s) == (0, 0)
    assert run.summary.metrics["request_throughput"].value is None
    assert "time_to_first_token" not in run.summary.metrics


def test_a_run_cut_short_within_the_window_keeps_what_was_complete():
    run = run_of(Server(ends_after=50))
    assert run.summary.n_ok == 30
    assert math.isfinite(run.summary.metrics["request_throughput"].value)


def test_every_figure_of_a_summary_can_be_stored():
    text = run_of(Server(failed=0.3, itl_ms=0.0)).summary.model_dump_json()
    assert "NaN" not in text
    assert "Infinity" not in text


OPEN = {"open_loop": True}


def rows_of(*, due_ms, latency_ms, wait_ms=0.0):
    """Return a run of requests that were due at these times, in the order of completion."""
    due = np.array(due_ms, dtype=float)
    t0 = due + wait_ms
    end = t0 + latency_ms
    order = np.argsort(end, kind="stable")
    plan = LoadPlan(url="http://h/x", bodies=[b'{"max_tokens": 2}'] * len(due), concurrency=1)
    stamps = {"t_plan": due, "t0": t0, "t_sent": t0, "t_hdr": end, "t_end": end, "t_output": end}
    batch = answered(plan, Server(), seed=1)
    return replace(
        batch,
        request_index=order.astype(np.int32),
        content_ns=np.repeat((end[order] * 1e6).astype(np.int64), 2),
        **{name: (ms[order] * 1e6).astype(np.int64) for name, ms in stamps.items()},
    )


def summary_of(batch, window, **context):
    return summarise(batch, window, context=MetricContext(**context), stall_threshold_ms=None)


def test_an_open_loop_measures_requests_by_their_place_in_the_schedule():
    """The third and the fourth of six; they complete after the fifth, which is due after the window."""
    batch = rows_of(due_ms=[0, 10, 30, 60, 100, 150], latency_ms=np.array([5, 5, 99, 200, 5, 5]))
    run = summary_of(batch, RunWindow(warm_up=2, measured=2, open_loop=True), **OPEN)
    assert batch.request_index[run.inside].tolist() == [2, 3]
    assert (run.window.start_ns, run.window.end_ns) == (30_000_000, 100_000_000)
    assert run.values["request_latency"].tolist() == [99, 200]


def test_values_of_an_open_loop_are_in_the_order_of_completion():
    batch = rows_of(due_ms=[0, 10, 20], latency_ms=np.array([50, 5, 5]))
    run = summary_of(batch, RunWindow(warm_up=0, measured=3, open_loop=True), **OPEN)
    assert run.values["request_latency"].tolist() == [5, 5, 50]


def test_where_nothing_follows_the_schedule_ends_one_mean_gap_after_the_last():
    batch = rows_of(due_ms=[0, 10, 30, 50], latency_ms=5)
    run = summary_of(batch, RunWindow(warm_up=1, measured=3, open_loop=True), **OPEN)
    assert (run.window.start_ns, run.window.end_ns) == (10_000_000, 70_000_000)
    assert run.summary.metrics["request_throughput"].value == 50  # 3 in 60 ms


def test_a_late_request_belongs_to_the_time_at_which_it_was_due():
    batch = rows_of(due_ms=[0, 10, 20, 30], latency_ms=5, wait_ms=np.array([0, 0, 500, 0]))
    run = summary_of(batch, RunWindow(warm_up=0, measured=3, open_loop=True), **OPEN)
    assert run.window.end_ns == 30_000_000
    assert run.values["effective_latency"].tolist() == [5, 5, 505]
    assert run.values["request_latency"].tolist() == [5, 5, 5]


def test_a_duration_that_ends_an_open_loop_ends_its_window():
    batch = rows_of(due_ms=[0, 10, 20, 30, 40], latency_ms=100)
    window = RunWindow(warm_up=2, measured=None, open_loop=True, duration_ns=35_000_000)
    run = summary_of(batch, window, **OPEN)
    assert batch.request_index[run.inside].tolist() == [2, 3]
    assert (run.window.start_ns, run.window.end_ns) == (20_000_000, 35_000_000)


def test_a_single_request_of_an_open_loop_has_no_throughput():
    run = summary_of(
        rows_of(due_ms=[7], latency_ms=5), RunWindow(warm_up=0, measured=1, open_loop=True), **OPEN
    )
    assert run.window.seconds == 0
    assert run.summary.metrics["request_throughput"].value is None
    assert run.summary.metrics["request_latency"].p50 == 5


def test_a_duration_that_ends_a_closed_loop_ends_its_window():
    """What completed later was in flight at the end: it was measured at no full load."""
    batch = rows_of(due_ms=[0, 10, 20, 30, 40], latency_ms=5)
    run = summary_of(batch, RunWindow(warm_up=1, measured=None, duration_ns=40_000_000))
    assert batch.request_index[run.inside].tolist() == [1, 2, 3]
    assert (run.window.start_ns, run.window.end_ns) == (5_000_000, 40_000_000)
    at_the_end = summary_of(batch, RunWindow(warm_up=1, measured=None, duration_ns=35_000_000))
    assert batch.request_index[at_the_end.inside].tolist() == [1, 2, 3]


def test_what_completes_while_the_concurrency_still_grows_is_warm_up():
    batch = rows_of(due_ms=[0, 10, 20, 30, 40], latency_ms=5)
    run = summary_of(batch, RunWindow(warm_up=1, measured=4, ramp_ns=25_000_000))
    assert batch.request_index[run.inside].tolist() == [3, 4]
    assert (run.window.start_ns, run.window.end_ns) == (25_000_000, 45_000_000)
    assert not summary_of(batch, RunWindow(warm_up=1, measured=4, ramp_ns=10**9)).inside.any()


def test_of_count_and_duration_the_one_that_comes_first_ends_a_closed_loop():
    batch = rows_of(due_ms=[0, 10, 20, 30, 40], latency_ms=5)
    by_count = summary_of(batch, RunWindow(warm_up=1, measured=2, duration_ns=40_000_000))
    assert (by_count.inside.sum(), by_count.window.end_ns) == (2, 25_000_000)
    by_time = summary_of(batch, RunWindow(warm_up=1, measured=4, duration_ns=40_000_000))
    assert (by_time.inside.sum(), by_time.window.end_ns) == (3, 40_000_000)


@pytest.mark.parametrize(
    "window",
    [
        RunWindow(warm_up=9, measured=9),
        RunWindow(warm_up=9, measured=None, duration_ns=10**9),
        RunWindow(warm_up=9, measured=9, open_loop=True),
        RunWindow(warm_up=2, measured=None, open_loop=True, duration_ns=15_000_000),
    ],
)
def test_a_run_that_ended_within_its_warm_up_has_no_figures(window):
    run = summary_of(rows_of(due_ms=[0, 10, 20], latency_ms=5), window, open_loop=window.open_loop)
    assert (run.summary.n_ok, run.window.seconds) == (0, 0)
    assert run.summary.metrics["request_throughput"].value is None
    assert pooled_levels([run]) == {}
    assert run.values["request_count"].tolist() == [0]


@pytest.mark.parametrize("seed", range(5))
def test_throughput_times_window_is_the_count_for_every_kind_of_load(seed):
    rng = np.random.default_rng(seed)
    batch = rows_of(due_ms=np.cumsum(rng.integers(1, 30, 80)), latency_ms=rng.integers(1, 300, 80))
    for measured, duration_ns in ((40, None), (70, None), (None, 900_000_000), (40, 900_000_000)):
        for open_loop in (False, True):
            window = RunWindow(warm_up=10, measured=measured, open_loop=open_loop, duration_ns=duration_ns)
            run = summary_of(batch, window, open_loop=open_loop)
            stamps = batch.t_plan if open_loop else batch.t_end
            assert run.inside.sum() == run.summary.n_ok > 5
            assert stamps[run.inside].min() >= run.window.start_ns
            assert stamps[run.inside].max() <= run.window.end_ns
            per_second = run.summary.metrics["request_throughput"].value
            assert per_second * run.summary.window_s == pytest.approx(run.summary.n_ok, rel=1e-15)


def test_a_cancelled_request_is_not_a_failed_one():
    batch = rows_of(due_ms=[0, 10, 20], latency_ms=5)
    batch = replace(
        batch, outcome=np.array([Outcome.OK, Outcome.CANCELLED, Outcome.TRUNCATED], dtype=np.int8)
    )
    run = summary_of(batch, RunWindow(warm_up=0, measured=3))
    assert (run.summary.n_ok, run.summary.n_err) == (1, 1)


def test_a_metric_that_one_run_lacks_does_not_hurt_the_others():
    with_usage, without = run_of(), run_of(Server(usage=False))
    pooled = pooled_values([with_usage, without])
    assert pooled["input_sequence_length"].size == with_usage.values["input_sequence_length"].size == 60
    assert pooled["total_isl"].tolist() == [60 * 128]
    assert pooled["time_to_first_token"].size == 120
    levels = pooled_levels([with_usage, without])
    alone = pooled_levels([with_usage])
    assert levels["tokens_in_flight"].seconds.sum() == alone["tokens_in_flight"].seconds.sum()
    assert levels["effective_concurrency"].seconds.sum() == pytest.approx(
        with_usage.window.seconds + without.window.seconds
    )


def test_a_baseline_keeps_what_can_be_judged_and_no_more():
    run = run_of()
    stored = {tag for tag, metric in all_metrics().items() if metric.stored}
    stored -= {
        tag
        for tag, metric in all_metrics().items()
        if metric.slos_only or metric.open_loop_only or metric.graded_only
    }
    assert run.summary.metrics.keys() == stored
    assert len(run.values) > 40
