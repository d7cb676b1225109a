"""How many runs are made, what a second session is for, and what the verdict is (judge.md 3 and 5)."""

from __future__ import annotations

import pytest
from scripted_load import Server

from pytest_aiperf.common.errors import BaselineError, ConfigurationError, EndpointError, MeasurementError
from pytest_aiperf.measure.tenants import TenantWatch
from pytest_aiperf.measure.validity import Check

SAME, SLOW, FAST = Server(), Server().slower(1.5), Server().slower(0.6)


def runs_of(measurement):
    return [len(session) for session in measurement.sessions]


def test_a_measurement_probes_rehearses_and_then_runs(bench):
    bench.measure()
    assert bench.phases == ["probe 1/1", "rehearsal 1/1", "run 1/3", "run 2/3", "run 3/3"]
    assert len(bench.load.plans[0].bodies) == len(bench.load.plans[1].bodies)


def test_every_run_sends_the_same_bytes_in_the_same_order(bench):
    bench.measure()
    assert all(plan.bodies == bench.load.plans[0].bodies for plan in bench.load.plans)


def test_recording_takes_five_runs(bench):
    assert runs_of(bench.record()) == [5]


def test_a_clear_pass_stops_at_the_first_look(bench):
    bench.record()
    measurement = bench.measure(SAME)
    assert measurement.verdict == "pass"
    assert runs_of(measurement) == [3]


def test_what_noise_leaves_open_takes_all_eight_runs(bench):
    bench.record()
    measurement = bench.measure(SAME, tolerance={"ttft.p50": "5%"})
    assert measurement.verdict == "inconclusive"
    assert runs_of(measurement) == [8]
    assert bench.phases[2:] == [f"run {i}/{3 if i <= 3 else 5 if i <= 5 else 8}" for i in range(1, 9)]


def test_what_the_second_look_settles_takes_five_runs(bench):
    bench.record()

    def first_runs_noisy(index):
        return Server().slower((1.0, 1.12, 1.08, 1.04, 1.0, 1.0)[min(index, 5)])

    measurement = bench.measure(first_runs_noisy, tolerance={"ttft.p50": "14%", "itl.p50": "14%"})
    assert measurement.verdict == "pass"
    assert runs_of(measurement) == [5]


def test_a_regression_is_confirmed_by_a_second_session(bench):
    bench.record()
    measurement = bench.measure(SLOW)
    assert measurement.verdict == "regressed"
    assert runs_of(measurement) == [3, 3]
    assert bench.phases[5:] == ["rehearsal 1/1", *(f"confirmation {i}/3" for i in (1, 2, 3))]
    assert bench.restarts == 1
    assert bench.time.slept_s == [1.0]
    assert "in two sessions" in measurement.judgement.reason
    change = next(
        c.change for c in measurement.judgement.comparisons if c.metric == "time_to_first_token.p50"
    )
    assert change == pytest.approx(0.5, abs=0.02)


def test_an_incident_of_one_session_is_inconclusive_not_a_regression(bench):
    bench.record()
    measurement = bench.measure(lambda index: SLOW if index <= 3 else SAME)
    assert measurement.verdict == "inconclusive"
    assert "sessions disagree" in measurement.judgement.reason


def test_failing_requests_of_one_session_only_are_inconclusive(bench):
    bench.record()
    measurement = bench.measure(lambda index: Server(failed=0.3) if index <= 3 else SAME)
    assert measurement.verdict == "inconclusive"
    errors = measurement.judgement.comparisons[-1]
    assert errors.metric == "error_share"
    assert "sessions disagree" in errors.reason


def test_stalls_of_one_session_only_are_inconclusive(bench):
    bench.record()
    measurement = bench.measure(lambda index: Server(stalled=0.2) if index <= 3 else SAME)
    stalls = next(c for c in measurement.judgement.comparisons if c.metric == "stall_share")
    assert stalls.verdict == "inconclusive"
    assert "sessions disagree" in stalls.reason
    assert measurement.verdict == "inconclusive"


def test_failing_then_slow_sessions_do_not_break_the_judging(bench):
    """The first session is judged by its errors alone; the second makes the latencies judgeable and is slow."""
    bench.record()
    measurement = bench.measure(lambda index: Server(failed=0.06) if index <= 3 else SLOW)
    assert measurement.verdict == "inconclusive"


def test_more_stalls_at_an_unchanged_median_are_a_regression(bench):
    bench.record()
    measurement = bench.measure(Server(stalled=0.2))
    assert measurement.verdict == "regressed"
    assert {c.metric for c in measurement.judgement.comparisons if c.verdict == "regressed"} == {
        "stall_share"
    }


def test_a_rising_error_share_is_a_regression_against_a_baseline(bench):
    bench.record()
    measurement = bench.measure(Server(failed=0.2))
    assert measurement.verdict == "regressed"
    assert [c.metric for c in measurement.judgement.comparisons] == ["error_share"]
    assert measurement.judgement.comparisons[0].now == pytest.approx(0.2)
    assert [(e.type, e.code, e.message) for e in measurement.errors] == [("http", 503, "busy")]


@pytest.mark.parametrize("server", [Server(failed=0.2), Server(truncated=0.2)], ids=["errors", "truncated"])
def test_failing_requests_without_a_baseline_are_no_measurement(bench, server):
    measurement = bench.measure(server)
    assert measurement.verdict == "invalid"
    assert "allowed is 0.05" in measurement.judgement.reason


@pytest.mark.parametrize("mode", ["measure", "quick"])
def test_failing_requests_are_no_measurement_where_nothing_judges_them(bench, mode):
    bench.record()
    assert bench.measure(Server(failed=0.3), mode=mode, request_count=60).verdict == "invalid"


def test_a_few_errors_that_the_baseline_had_too_are_no_regression(bench):
    bench.record(Server(failed=0.02))
    assert bench.measure(Server(failed=0.02)).verdict == "pass"


def test_without_a_baseline_the_verdict_says_so(bench):
    measurement = bench.measure()
    assert measurement.verdict == "no_baseline"
    assert measurement.to_store is None


def test_another_load_is_not_comparable_and_the_difference_is_said(bench):
    bench.record()
    measurement = bench.measure(concurrency=4)
    assert measurement.verdict == "not_comparable"
    assert "concurrency was 2, is 4" in measurement.judgement.reason


def test_measuring_without_a_baseline_judges_nothing(bench):
    measurement = bench.measure(SLOW, baseline=False)
    assert measurement.verdict == "measured"
    assert runs_of(measurement) == [3]


def test_measure_mode_reports_a_slowdown_and_never_fails(bench):
    bench.record()
    measurement = bench.measure(SLOW, mode="measure")
    assert measurement.verdict == "measured"
    assert runs_of(measurement) == [3]
    ttft = measurement.judgement.comparisons[0]
    assert (ttft.metric, ttft.verdict) == ("time_to_first_token.p50", "regressed")


def test_measure_mode_reports_answers_of_another_length_and_never_fails(bench):
    bench.record()
    measurement = bench.measure(Server(osl=8), mode="measure")
    assert measurement.verdict == "measured"
    assert not next(c for c in measurement.validity if c.check == "osl_as_baseline").ok


def test_tokens_counted_in_another_way_than_the_baselines_are_not_compared(bench):
    bench.record()
    measurement = bench.measure(Server(usage=False))
    assert measurement.verdict == "invalid"
    assert (
        "Output tokens come from content_messages, the baseline's came from usage"
        in measurement.judgement.reason
    )
    assert len(measurement.runs) == 1


def test_prompts_that_the_server_counts_otherwise_than_the_baselines_are_not_compared(bench):
    bench.record()
    measurement = bench.measure(Server(isl=150))
    assert measurement.verdict == "invalid"
    assert "The prompts are 150 tokens long, the baseline's were 128" in measurement.judgement.reason


class Neighbour:
    """Stands for the counters of a server that another client used in some of the sessions."""

    def __init__(self, monkeypatch, *, in_session):
        self.begun = 0
        monkeypatch.setattr(TenantWatch, "begin", self.begin)
        monkeypatch.setattr(TenantWatch, "check", self.check)
        self.in_session = in_session

    def begin(self):
        self.begun += 1

    def check(self):
        busy = self.begun == self.in_session
        yield Check(check="other_tenants", value=float(busy), limit=0.02, ok=not busy, advice="somebody else")


@pytest.mark.parametrize("server", [SAME, SLOW])
def test_a_session_in_which_the_server_served_others_is_no_measurement(bench, monkeypatch, server):
    bench.record()
    Neighbour(monkeypatch, in_session=1)
    measurement = bench.measure(server)
    assert measurement.verdict == "invalid"
    assert "somebody else" in measurement.judgement.reason
    assert len(measurement.sessions) == 1


def test_others_in_the_session_that_should_confirm_make_the_measurement_invalid(bench, monkeypatch):
    bench.record()
    neighbour = Neighbour(monkeypatch, in_session=2)
    measurement = bench.measure(SLOW)
    assert (measurement.verdict, neighbour.begun) == ("invalid", 2)


def test_a_recording_beside_others_is_not_stored(bench, monkeypatch):
    Neighbour(monkeypatch, in_session=1)
    assert bench.measure(SAME, update=frozenset({"all"})).to_store is None


def test_every_session_is_asked_whether_it_was_steady(bench):
    measurement = bench.measure(SAME, mode="measure", request_count=200)
    assert [check.ok for check in measurement.validity if check.check == "steady_state"] == [True]


def test_quick_mode_makes_one_short_run_and_compares_nothing(bench):
    bench.record()
    measurement = bench.measure(SLOW, mode="quick")
    assert measurement.verdict == "measured"
    assert bench.phases == ["probe 1/1", "quick 1/1"]
    assert measurement.runs[0].n_ok == 20
    assert measurement.judgement.comparisons == ()


def test_quick_mode_does_not_record(bench):
    with pytest.raises(ConfigurationError, match="a quick run is no baseline"):
        bench.measure(mode="quick", update=("all",))


def test_a_time_budget_ends_the_looks_with_a_word_about_it(bench):
    bench.record()
    run_s = bench.time_of_a_run()
    measurement = bench.measure(SAME, tolerance={"ttft.p50": "5%"}, max_time=11.5 * run_s)
    assert runs_of(measurement) == [5]  # a rehearsal, five runs, and four more for a second session
    assert measurement.verdict == "inconclusive"
    assert "--aiperf-max-time" in measurement.judgement.reason
    assert measurement.duration_s <= 11.5 * run_s


def test_a_time_budget_too_short_for_three_runs_is_told_after_the_rehearsal(bench):
    with pytest.raises(
        MeasurementError, match=r"time budget of 3 s is too short: the rehearsal took 2\.\d s, and 3 such"
    ):
        bench.measure(max_time=3)
    assert bench.phases == ["probe 1/1", "rehearsal 1/1"]


def test_a_server_that_answers_no_probe_is_named_with_its_words(bench):
    with pytest.raises(EndpointError, match=r"http://127.0.0.1:9/v1/chat/completions: 1 x http 503: busy"):
        bench.measure(Server(failed=1.0))
    assert bench.phases == ["probe 1/1"] * 3


def test_a_server_that_fails_under_load_is_told_after_the_rehearsal(bench, monkeypatch):
    monkeypatch.setattr("pytest_aiperf.measure.runs.RunMaker.probe", lambda maker: None)
    with pytest.raises(EndpointError, match=r"no request succeeded. \d+ x http 503: busy"):
        bench.measure(Server(failed=1.0))


def test_answers_of_another_length_than_the_baseline_are_neither_pass_nor_regression(bench):
    bench.record()
    measurement = bench.measure(Server(osl=8))
    assert measurement.verdict == "invalid"
    assert "answers are 8 tokens long, the baseline's were 4" in measurement.judgement.reason


def test_a_pass_that_proves_less_than_was_asked_for_is_inconclusive(bench):
    bench.record()
    measurement = bench.measure(SAME, max_mde=0.01)
    assert measurement.verdict == "inconclusive"
    assert runs_of(measurement) == [8]


def test_without_streaming_the_latency_is_judged(bench):
    bench.record(streaming=False)
    measurement = bench.measure(SLOW, streaming=False)
    assert measurement.verdict == "regressed"
    assert "request_latency.p50" in {c.metric for c in measurement.judgement.comparisons}
    assert "time_to_first_token" not in measurement.runs[0].metrics


def test_without_streaming_and_usage_no_token_is_counted(bench):
    measurement = bench.measure(Server(usage=False), streaming=False)
    assert measurement.osl_source == "absent"
    assert "output_sequence_length" not in measurement.runs[0].metrics
    assert measurement.runs[0].metrics["output_token_throughput"].value is None


def test_a_faster_server_is_said_to_be_improved(bench):
    bench.record()
    measurement = bench.measure(FAST)
    assert measurement.verdict == "pass"
    assert measurement.judgement.improved


def test_the_broken_baseline_is_told_before_anything_is_sent(bench):
    bench.path.write_text("{")
    with pytest.raises(BaselineError, match="not JSON"):
        bench.measure()
    assert bench.load.plans == []
    assert bench.load.probes == 0


def test_a_place_that_cannot_be_written_is_told_before_anything_is_sent(bench, monkeypatch):
    """Stands in for permissions, which do not bind root: `access` tells what it would tell anybody else."""
    monkeypatch.setattr("pytest_aiperf.baseline.store.os.access", lambda folder, mode: False)
    with pytest.raises(BaselineError, match=r"cannot be written: .* Nothing was measured"):
        bench.record()
    assert bench.load.probes == 0
    bench.measure()  # reading only needs no such permission


def test_the_same_records_give_the_same_verdict_to_the_byte(bench):
    bench.record()
    one, other = bench.measure(SLOW), bench.measure(SLOW)
    assert one.judgement == other.judgement


def test_a_budget_without_time_for_a_second_session_is_told_after_the_rehearsal(bench):
    bench.record()
    with pytest.raises(MeasurementError, match=r"and 7 such runs may be needed, a second session included"):
        bench.measure(SAME, max_time=7 * bench.time_of_a_run())
    assert bench.phases == ["probe 1/1", "rehearsal 1/1"]


def test_time_for_a_second_session_is_kept_however_many_looks_are_left(bench):
    bench.record()
    run_s = bench.time_of_a_run()
    measurement = bench.measure(lambda index: SLOW if index else SAME, max_time=12 * run_s)
    assert measurement.verdict == "regressed"
    assert runs_of(measurement) == [3, 3]


def test_a_regression_that_no_time_was_left_to_confirm_is_inconclusive_and_says_so(bench):
    bench.record()
    run_s = bench.time_of_a_run()
    much_slower = Server().slower(3)
    measurement = bench.measure(lambda index: much_slower if index else SAME, max_time=8.5 * run_s)
    assert measurement.verdict == "inconclusive"
    assert runs_of(measurement) == [3]
    assert "ended before a second session could confirm it" in measurement.judgement.reason


def test_a_metric_that_one_run_lacks_keeps_its_figures_from_the_others(bench):
    measurement = bench.measure(lambda index: Server(usage=index != 2))
    assert [("input_sequence_length" in run.metrics) for run in measurement.runs] == [True, False, True]
    assert measurement.pooled["input_sequence_length"].tolist() == [128] * 120


OPEN = {"request_rate": 50.0, "concurrency": None}
TIMED = {"benchmark_duration": 2.0, "request_count": None}


def test_an_open_loop_measures_what_follows_its_warm_up(bench):
    measurement = bench.measure(**OPEN, arrival_pattern="constant")
    assert [run.n_ok for run in measurement.runs] == [60, 60, 60]
    assert measurement.runs[0].window_s == pytest.approx(60 / 50)
    assert measurement.runs[0].metrics["request_throughput"].value == pytest.approx(50)
    assert len(bench.load.plans[0].bodies) == 80


def test_a_slower_server_under_an_open_loop_is_a_regression(bench):
    bench.record(**OPEN)
    measurement = bench.measure(SLOW, **OPEN)
    assert measurement.verdict == "regressed"
    assert "request_throughput" not in {c.metric for c in measurement.judgement.comparisons}
    assert bench.measure(SAME, **OPEN).verdict == "pass"


def test_latency_from_the_due_time_counts_the_wait_for_a_slot(bench):
    """One slot for ten requests a second of 65 ms is enough, for twenty it is not."""
    for rate, waits in ((10.0, False), (20.0, True)):
        load = {"request_rate": rate, "arrival_pattern": "constant", "concurrency": 1}
        measurement = bench.measure(**load, baseline=False, mode="measure")
        latency, effective = (measurement.pooled[tag] for tag in ("request_latency", "effective_latency"))
        assert (effective.max() > 2 * latency.max()) == waits


def test_an_open_loop_and_a_closed_one_are_not_comparable(bench):
    bench.record()
    measurement = bench.measure(**OPEN)
    assert measurement.verdict == "not_comparable"
    assert "mode was 'concurrency', is 'request_rate'" in measurement.judgement.reason


@pytest.mark.parametrize("change", [{"request_rate": 51.0}, {"arrival_pattern": "constant"}])
def test_another_open_loop_is_not_comparable(bench, change):
    bench.record(**OPEN)
    assert bench.measure(**(OPEN | change)).verdict == "not_comparable"


def test_what_was_offered_and_sent_late_is_counted(bench):
    measurement = bench.measure(Server(late_ms=3), **OPEN, mode="measure", baseline=False)
    sent = measurement.sendings[0][0]
    assert (sent.offered, sent.sent, sent.late, sent.cancelled) == (80, 80, 80, 0)
    assert bench.measure(**OPEN).sendings[0][0].late == 0
    closed = bench.measure().sendings[0][0]
    assert (closed.offered, closed.sent, closed.late) == (81, 81, 0)


def test_a_duration_ends_a_run_and_not_a_count(bench):
    measurement = bench.measure(**TIMED)
    run = measurement.runs[0]
    assert 2.0 - run.window_s == pytest.approx(0.7, abs=0.1)  # twenty requests of 65 ms at concurrency 2
    assert run.n_ok == pytest.approx(run.window_s * 2 / 0.065, rel=0.05)
    assert bench.load.plans[0].planned is None
    assert measurement.verdict == "no_baseline"


def test_a_slower_server_is_found_where_the_duration_ends_the_runs(bench):
    bench.record(**TIMED)
    assert bench.measure(SLOW, **TIMED).verdict == "regressed"
    assert bench.measure(SAME, **TIMED).verdict != "regressed"


def test_cancelled_requests_are_neither_good_nor_failed(bench):
    options = {"request_cancellation_rate": 20.0, "request_cancellation_delay": 0.01, "request_count": 99}
    measurement = bench.measure(**options)
    run = measurement.runs[0]
    assert run.n_err == 0
    assert 77 <= run.n_ok <= 82
    assert measurement.verdict == "no_baseline", measurement.judgement.reason
    assert measurement.errors == []
    assert measurement.sendings[0][0].cancelled == 20


def test_goodput_is_judged_when_it_is_named(bench):
    """Half of the slow server's answers take longer than what is asked for."""
    given = OPEN | {"goodput": "latency:75", "metrics": ["goodput"], "tolerance": {"goodput": "10%"}}
    bench.record(Server(), **given)
    measurement = bench.measure(Server(noise=0.3), **given)
    assert measurement.verdict == "regressed"
    assert measurement.judgement.comparisons[0].metric == "goodput"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goodput": "tfft:1"}, r"unknown metric 'tfft' \(did you mean 'ttft'\?\)"),
        ({"validity": {"eror_share": 1}}, r"no check named 'eror_share' \(did you mean 'error_share'\?\)"),
        ({"fixed_schedule": "no-such-file"}, "there is no such file"),
    ],
)
def test_what_is_wrong_with_a_load_is_told_before_anything_is_sent(bench, options, message):
    with pytest.raises(ConfigurationError, match=message):
        bench.measure(**options)
    assert bench.load.probes == 0


def test_a_limit_of_the_user_replaces_the_usual_one(bench):
    server = Server(failed=0.2)
    assert bench.measure(server).verdict == "invalid"
    assert bench.measure(server, validity={"error_share": 0.5}).verdict == "no_baseline"


def test_a_quick_run_of_an_open_loop_is_short(bench):
    bench.measure(**OPEN, mode="quick")
    assert len(bench.load.plans[0].bodies) == 20


def test_what_completes_while_the_concurrency_grows_is_warm_up(bench):
    measurement = bench.measure(concurrency_ramp_duration=1.5, request_count=100)
    whole = bench.measure(request_count=100)
    assert whole.runs[0].n_ok == 100
    assert 60 < measurement.runs[0].n_ok < 80  # 46 of 120 completions come within 1.5 s
    assert measurement.runs[0].window_s < whole.runs[0].window_s


@pytest.mark.parametrize(
    "load",
    [
        {"benchmark_duration": 0.5, "request_count": None},
        {"concurrency_ramp_duration": 60.0},
    ],
    ids=["duration", "ramp"],
)
def test_a_load_that_is_over_before_it_is_steady_is_no_measurement(bench, load):
    with pytest.raises(MeasurementError, match=r"all \d+ requests of a run of .* s are warm-up"):
        bench.measure(**load)


def test_a_server_that_is_slower_throughout_does_not_stall(bench):
    bench.record()
    measurement = bench.measure(Server().slower(1.8))
    rows = {c.metric: c for c in measurement.judgement.comparisons if c.against == "baseline"}
    assert rows["inter_token_latency.p50"].verdict == "regressed"
    assert (rows["stall_share"].now, rows["stall_share"].verdict) == (0, "pass")


def test_requests_that_stall_are_told_beside_a_slower_level(bench):
    bench.record(request_count=200)
    measurement = bench.measure(Server(stalled=0.1).slower(1.8), request_count=200)
    rows = {c.metric: c for c in measurement.judgement.comparisons if c.against == "baseline"}
    assert rows["stall_share"].now == pytest.approx(0.1, abs=0.02)
    assert rows["stall_share"].verdict == "regressed"
