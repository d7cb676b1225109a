"""One run: which requests count, and what is computed over them (engine.md 5, judge.md 4)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scripted_load import Server, answered

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.measure.run_data import summarise
from pytest_aiperf.measure.workload import build_workload


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
    return summarise(batch, workload, streaming=streaming, stall_threshold_ms=threshold_ms)


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
