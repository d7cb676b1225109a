"""Two servers measured now, their runs in turn (judge.md 3): order, verdict, and what they share."""

from __future__ import annotations

import pytest
from scripted_load import Server

from pytest_aiperf.common.errors import ConfigurationError, EndpointError, MeasurementError
from pytest_aiperf.measure.paired import abba
from pytest_aiperf.measure.tenants import Reading, TenantWatch

SAME, SLOW, FAST = Server(), Server().slower(1.2), Server().slower(0.8)
NARROW = {"ttft.p50": "5%", "itl.p50": "5%", "latency.p95": "10%"}


def comparison(measurement, metric):
    return next(c for c in measurement.judgement.comparisons if c.metric == metric)


def test_the_order_is_ab_ba_ab_so_that_neither_runs_later_on_average():
    assert [abba(pair) for pair in range(4)] == [(True, False), (False, True)] * 2


def test_both_are_rehearsed_and_then_run_in_turn(bench):
    bench.measure(SAME, against=SAME, tolerance=NARROW)
    assert bench.order == "AB" + "ABBAAB"
    assert bench.phases[:4] == ["probe 1/1", "probe 1/1", "rehearsal 1/1", "rehearsal 1/1"]


def test_the_order_goes_on_where_the_last_look_stopped(bench):
    bench.measure(SAME, against=SAME, max_mde=0.01)
    assert bench.order == "AB" + "ABBAABBA" * 2


def test_two_equal_servers_pass_at_five_percent_with_three_runs_each(bench):
    measurement = bench.measure(SAME, against=SAME, tolerance=NARROW)
    assert measurement.verdict == "pass"
    assert [len(session) for session in measurement.sessions] == [3]
    assert all(c.mde < 0.1 for c in measurement.judgement.comparisons if c.mde is not None)


def test_a_slower_server_is_found_without_a_second_session(bench):
    measurement = bench.measure(SLOW, against=SAME, tolerance=NARROW)
    assert measurement.verdict == "regressed"
    assert comparison(measurement, "time_to_first_token.p50").change == pytest.approx(0.2, abs=0.01)
    assert "confirmation 1/3" not in bench.phases
    assert bench.restarts == 0


def test_a_faster_server_is_an_improvement(bench):
    measurement = bench.measure(FAST, against=SAME, tolerance=NARROW)
    assert measurement.verdict == "pass"
    assert measurement.judgement.improved


def test_stalls_are_counted_by_the_threshold_of_the_server_compared_with(bench):
    measurement = bench.measure(Server(stalled=0.1), against=SAME, request_count=200)
    stalls = comparison(measurement, "stall_share")
    assert stalls.verdict == "regressed"
    assert stalls.baseline == 0
    assert stalls.now == pytest.approx(0.1, abs=0.02)
    thresholds = {run.stalls.threshold_ms for run in measurement.runs}
    thresholds |= {run.stalls.threshold_ms for run in measurement.baseline.sessions[0].runs}
    assert len(thresholds) == 1


def test_failures_are_compared_too(bench):
    measurement = bench.measure(Server(failed=0.03), against=SAME, request_count=200)
    assert comparison(measurement, "error_share").verdict == "regressed"


def test_a_drift_that_both_meet_turns_nothing_red(bench):
    def drifting(index):
        return Server(noise=0.005).slower(1.005**index)

    measurement = bench.measure(
        drifting, against=drifting, tolerance={"ttft.p50": "1%"}, metrics=["ttft.p50"]
    )
    assert measurement.verdict != "regressed"
    assert comparison(measurement, "time_to_first_token.p50").change == pytest.approx(0, abs=0.005)


def test_answers_of_another_length_are_another_workload(bench):
    measurement = bench.measure(Server(osl=8), against=Server(osl=4))
    assert measurement.verdict == "invalid"
    assert "answers are 8 tokens long, the baseline's were 4" in measurement.judgement.reason


def test_an_invalid_run_of_the_other_server_makes_it_invalid_and_is_named(bench):
    measurement = bench.measure(SAME, against=Server(facts={"clock_shift_ns": 10**9}))
    assert measurement.verdict == "invalid"
    assert "Of http://127.0.0.1:8: " in measurement.judgement.reason


def test_another_model_is_told(bench, monkeypatch):
    names = {"http://127.0.0.1:8": "old", "http://127.0.0.1:9": "new"}
    monkeypatch.setattr("pytest_aiperf.measure.target._first_model", lambda base, endpoint: names[base])
    measurement = bench.measure(SAME, against=SAME, tolerance=NARROW, model=None)
    assert measurement.verdict == "pass"
    assert [(c.name, c.before, c.now) for c in measurement.changes] == [("model", "old", "new")]


def test_nothing_is_stored_and_no_stored_baseline_is_read(bench):
    bench.path.write_text("{")
    measurement = bench.measure(SAME, against=SAME, baseline=False)
    assert measurement.to_store is None
    assert measurement.against == "http://127.0.0.1:8"
    assert bench.path.read_text() == "{"


def test_recording_and_comparing_two_servers_do_not_go_together(bench):
    with pytest.raises(ConfigurationError, match="does not go with --aiperf-against"):
        bench.measure(SAME, against=SAME, update=("all",))


def test_a_url_that_cannot_be_is_told_before_anything_is_sent(bench):
    with pytest.raises(ConfigurationError, match="against: 'ftp://x' is not an http"):
        bench.measure(SAME, against=SAME, against_url="ftp://x")
    assert bench.load.plans == []


def test_the_other_server_is_probed_too(bench):
    with pytest.raises(EndpointError, match=r"http://127.0.0.1:8/v1/chat/completions: 1 x http 503: busy"):
        bench.measure(SAME, against=Server(failed=1.0))


def test_a_budget_for_less_than_three_pairs_is_told_after_the_rehearsals(bench):
    with pytest.raises(MeasurementError, match="3 such pairs of runs are needed"):
        bench.measure(SAME, against=SAME, max_time=7 * bench.time_of_a_run())
    assert len(bench.load.plans) == 2


def test_a_budget_ends_the_looks_with_a_word_about_it(bench):
    run_s = bench.time_of_a_run()
    measurement = bench.measure(SAME, against=SAME, max_mde=0.01, max_time=13.5 * run_s)
    assert [len(session) for session in measurement.sessions] == [5]
    assert "--aiperf-max-time" in measurement.judgement.reason


def test_measuring_only_reports_the_comparison_and_fails_nothing(bench):
    measurement = bench.measure(SLOW, against=SAME, tolerance=NARROW, mode="measure")
    assert measurement.verdict == "measured"
    assert comparison(measurement, "time_to_first_token.p50").verdict == "regressed"


def test_a_quick_run_compares_nothing(bench):
    measurement = bench.measure(SAME, against=SLOW, mode="quick")
    assert measurement.verdict == "measured"
    assert set(bench.order) == {"B"}


def test_one_server_under_both_names_takes_its_own_requests_for_nobody_elses(bench, monkeypatch):
    def read(watch, url):
        served = sum(len(plan.bodies) for plan in bench.load.plans) + bench.load.probes
        return Reading(served={"vllm:request_success_total": {"m": float(served)}}, process_start_s=1.0)

    monkeypatch.setattr(TenantWatch, "_read", read)
    measurement = bench.measure(SAME, against=SAME, against_url="http://127.0.0.1:9", tolerance=NARROW)
    assert measurement.verdict == "pass"
    assert {check.ok for check in measurement.validity if check.check == "other_tenants"} == {True}
