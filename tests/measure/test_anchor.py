"""The pinned session, compared by itself: a creep is found, a stable history stays green."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_load import Server

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.measure.measurement import Comparison, Judgement
from pytest_aiperf.measure.recording import as_stored

TOLERANCE = {"ttft.p50": "5%", "itl.p50": "5%"}
TTFT = "time_to_first_token.p50"


def rows(measurement, against):
    return {c.metric: c for c in measurement.judgement.comparisons if c.against == against}


def regressed(measurement, against):
    return {name for name, row in rows(measurement, against).items() if row.verdict == "regressed"}


def crept(steps):
    """A server after so many changes of 1 % each."""
    return Server().slower(1.01**steps)


def record_a_creep(bench, *, of):
    for steps in range(of):
        bench.record(crept(steps), tolerance=TOLERANCE)


def check(bench, server, **options):
    return bench.measure(server, tolerance=TOLERANCE, **options)


def day_of_the_anchor(bench):
    return store.load(bench.path).sessions[0].recorded.at[:10]


def test_a_creep_of_one_percent_a_session_is_found_by_the_anchor_and_not_by_the_mean(bench):
    bench.record(tolerance=TOLERANCE)
    for steps in range(1, 10):
        measurement = check(bench, crept(steps))
        assert regressed(measurement, "baseline") == set()
        if measurement.verdict == "regressed":
            break
        assert bench.record(crept(steps), tolerance=TOLERANCE).stored_as == "appended"
    assert measurement.verdict == "regressed"
    assert regressed(measurement, "anchor") == {TTFT, "inter_token_latency.p50"}
    assert steps in {7, 8, 9}
    assert f"% since the anchor of {day_of_the_anchor(bench)}, in small steps (95 % interval" in (
        measurement.judgement.reason
    )


def test_a_stable_history_stays_green(bench):
    for _ in range(10):
        assert bench.record(tolerance=TOLERANCE).stored_as in ("recorded", "appended")
    measurement = check(bench, Server())
    assert measurement.verdict == "pass"
    assert {row.verdict for row in rows(measurement, "anchor").values()} == {"pass"}


def test_there_is_no_anchor_to_compare_with_besides_a_single_session(bench):
    bench.record()
    assert rows(bench.measure(), "anchor") == {}


def test_the_anchors_row_is_kept_with_its_own_figures_whatever_it_says(bench):
    bench.record(Server())
    bench.record(Server().slower(1.04))
    measurement = bench.measure(Server().slower(1.04))
    plain, anchor = (rows(measurement, against)[TTFT] for against in ("baseline", "anchor"))
    assert anchor.label == f"ttft p50 since {day_of_the_anchor(bench)}"
    assert (anchor.unit, anchor.tolerance, anchor.now) == (plain.unit, plain.tolerance, plain.now)
    assert anchor.baseline == pytest.approx(50, rel=0.01)
    assert plain.baseline == pytest.approx(50 * 1.04**0.5, rel=0.01)
    assert anchor.change == pytest.approx(0.04, abs=0.005)
    assert anchor.reason.startswith("+")
    assert "since the anchor of" in anchor.reason
    assert "in small steps" not in anchor.reason


@pytest.mark.parametrize(
    "tolerance", ["8%", "10.5%"], ids=["more runs would not help", "more runs might help"]
)
def test_an_inconclusive_anchor_neither_asks_for_more_runs_nor_changes_the_verdict(bench, tolerance):
    server = Server(noise=0.1)
    bench.record(server)
    for _ in range(4):
        bench.record(server.slower(1.06))
    measurement = bench.measure(server.slower(1.06), tolerance={"ttft.p50": tolerance, "itl.p50": tolerance})
    assert {row.verdict for row in rows(measurement, "anchor").values()} == {"inconclusive"}
    assert measurement.verdict == "pass"
    assert "anchor" not in measurement.judgement.reason
    assert [len(session) for session in measurement.sessions] == [3]


def test_a_creep_must_be_confirmed_by_a_second_session(bench):
    record_a_creep(bench, of=9)
    confirmed = check(bench, crept(9))
    assert confirmed.verdict == "regressed"
    assert [len(session) for session in confirmed.sessions] == [3, 3]
    assert "in two sessions" in confirmed.judgement.reason
    once = check(bench, lambda index: crept(9) if index <= 3 else crept(0))
    assert [len(session) for session in once.sessions] == [3, 3]
    assert once.verdict != "regressed"
    assert regressed(once, "anchor") == set()
    assert "sessions disagree" in rows(once, "anchor")[TTFT].reason


def test_a_creep_that_is_recorded_is_appended_and_stays_red(bench):
    record_a_creep(bench, of=9)
    before = store.load(bench.path)
    measurement = bench.record(crept(9), tolerance=TOLERANCE)
    assert (measurement.verdict, measurement.stored_as) == ("measured", "appended")
    assert regressed(measurement, "anchor")
    assert "since the anchor of" in measurement.judgement.reason
    assert measurement.judgement.reason.endswith("accepted with --aiperf-update=regressed")
    assert store.load(bench.path).anchor == before.anchor
    assert check(bench, crept(9)).verdict == "regressed"


def test_accepting_a_creep_moves_the_anchor(bench):
    record_a_creep(bench, of=9)
    measurement = check(bench, crept(9), update=("regressed",))
    assert measurement.stored_as == "accepted"
    stored = store.load(bench.path)
    assert len(judged_sessions(stored)) == 1
    bench.record(crept(9), tolerance=TOLERANCE)
    bench.record(crept(9), tolerance=TOLERANCE)
    again = check(bench, crept(9))
    assert again.verdict == "pass"
    assert rows(again, "anchor")[TTFT].change == pytest.approx(0, abs=0.01)


def test_a_creep_of_any_length_is_seen_when_only_ten_sessions_are_kept(bench):
    """What lies between the anchor and the oldest session kept beside it is no scatter."""
    record_a_creep(bench, of=16)
    stored = store.load(bench.path)
    assert len(judged_sessions(stored)) == 10
    assert regressed(check(bench, crept(16)), "anchor")


def test_a_slowdown_at_once_is_not_said_to_have_come_in_small_steps(bench):
    for _ in range(4):
        bench.record(tolerance=TOLERANCE)
    measurement = check(bench, Server().slower(1.3))
    assert regressed(measurement, "baseline") == regressed(measurement, "anchor") != set()
    assert "small steps" not in "".join(c.reason for c in measurement.judgement.comparisons)
    assert measurement.judgement.reason.count(TTFT) == 1


def test_getting_faster_in_small_steps_is_no_improvement_of_this_measurement(bench):
    for steps in range(9):
        bench.record(crept(-steps), tolerance=TOLERANCE)
    measurement = check(bench, crept(-9))
    assert measurement.verdict == "pass"
    assert "better by more than the tolerance" in rows(measurement, "anchor")[TTFT].reason
    assert not any(c.improved for c in measurement.judgement.comparisons)


ROW = Comparison(metric=TTFT, label="ttft p50", unit="ms", verdict="regressed", reason="", against="anchor")
RED = Judgement(verdict="measured", reason="recorded", comparisons=(ROW,))
GREEN = replace(RED, comparisons=(replace(ROW, verdict="pass"), replace(ROW, against="baseline")))


@pytest.mark.parametrize(
    ("judgement", "stored_as", "told"),
    [
        (RED, "appended", True),
        (GREEN, "appended", False),
        (RED, "recorded", False),
        (RED, "new level", False),
        (RED, None, False),
    ],
)
def test_who_appends_a_creep_is_told_that_the_next_check_is_red(judgement, stored_as, told):
    reason = as_stored(judgement, stored_as).reason
    assert ("--aiperf-update=regressed" in reason) == told
    assert reason.startswith("recorded")


def test_an_accepted_measurement_says_so_and_is_not_red():
    accepted = as_stored(replace(RED, verdict="regressed", reason="worse"), "accepted")
    assert (accepted.verdict, accepted.reason) == ("measured", "accepted as the new level: worse")
