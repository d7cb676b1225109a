"""Each check of one run: what trips it, what does not, and whether the run is invalid then (engine.md 6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_made import MS, batch_of, closed_loop, config_of, open_loop, run_of

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.measure.validity import check_run

CLOSED = config_of(load={"concurrency": 2})
OPEN = config_of(load={"request_rate": 100, "request_count": 200})


def checks_of(batch, config=CLOSED, **run):
    return {check.check: check for check in check_run(run_of(batch, **run), config)}


def closed(n=200, *, facts=(), loop=(), **columns):
    made = closed_loop(n, **dict(loop))
    return batch_of(**(made | columns | {"facts": made["facts"] | dict(facts)}))


def opened(n=200, *, facts=(), loop=(), **columns):
    made = open_loop(n, **dict(loop))
    return batch_of(**(made | columns | {"facts": made["facts"] | dict(facts)}))


def every(k, value, *, n=200, others=0):
    """Return a column in which each k-th row has the value."""
    column = np.full(n, float(others))
    column[::k] = value
    return column


CASES = {
    # check: (sound enough, too much, config, fatal)
    "unsent_share": (
        closed(facts={"planned": 200}),
        closed(facts={"planned": 201}),
        CLOSED,
        True,
    ),
    "error_share": (
        closed(outcome=every(20, Outcome.ERROR)),
        closed(outcome=every(19, Outcome.ERROR)),
        CLOSED,
        True,
    ),
    "truncated_share": (
        closed(outcome=every(20, Outcome.TRUNCATED)),
        closed(outcome=every(19, Outcome.TRUNCATED)),
        CLOSED,
        True,
    ),
    "cancelled_share": (
        closed(outcome=every(20, Outcome.CANCELLED)),
        closed(outcome=every(19, Outcome.CANCELLED)),
        CLOSED,
        True,
    ),
    "osl_as_asked": (
        closed(output_tokens=every(3, 9, others=4)),
        closed(output_tokens=5),
        CLOSED,
        False,
    ),
    "client_cpu_share": (
        closed(facts={"cpu_share": 0.85}),
        closed(facts={"cpu_share": 0.86}),
        CLOSED,
        True,
    ),
    "clock_step_ms": (
        closed(facts={"clock_shift_ns": -MS}),
        closed(facts={"clock_shift_ns": -8 * MS}),
        CLOSED,
        True,
    ),
    "turnaround_p99_ms": (
        closed(loop={"idle_ms": 1.9}),
        closed(loop={"idle_ms": 2.1}),
        CLOSED,
        False,
    ),
    "littles_law": (
        closed(loop={"idle_ms": 4.0}),
        closed(loop={"idle_ms": 6.0}),
        CLOSED,
        True,
    ),
    "coalesced_share": (
        closed(coalesced=2),
        closed(coalesced=3),
        CLOSED,
        False,
    ),
    "late_start_ms": (
        closed(facts={"workers": 2, "late_start_ns": 0}),
        closed(facts={"workers": 2, "late_start_ns": MS}),
        CLOSED,
        True,
    ),
    "schedule_lag_p99_ms": (
        opened(loop={"late_ms": every(50, 4.9)}),
        opened(loop={"late_ms": every(50, 5.1)}),
        OPEN,
        False,
    ),
    "schedule_lag_share": (
        opened(loop={"late_ms": 5.0}),
        opened(loop={"late_ms": 6.0}),
        OPEN,
        True,
    ),
    "sent_rate_shortfall": (
        opened(loop={"late_ms": np.linspace(0, 20, 200)}),
        opened(loop={"late_ms": np.linspace(0, 60, 200)}),
        OPEN,
        True,
    ),
    "rate_shortfall": (
        opened(latency_ms=100 + np.arange(200) * 0.1),
        opened(latency_ms=100 + np.arange(200) * 0.3),
        OPEN,
        False,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_check_holds_up_to_its_limit_and_not_beyond(name):
    sound, spoilt, config, fatal = CASES[name]
    assert checks_of(sound, config)[name].ok
    failed = checks_of(spoilt, config)[name]
    assert not failed.ok
    assert failed.value > failed.limit
    assert failed.fatal == fatal


@pytest.mark.parametrize(("batch", "config"), [(closed(), CLOSED), (opened(), OPEN)])
def test_a_sound_run_fails_no_check(batch, config):
    assert [c for c in checks_of(batch, config).values() if not c.ok] == []


def test_only_what_a_load_can_be_asked_is_asked():
    by_completion, by_schedule = set(checks_of(closed())), set(checks_of(opened(), OPEN))
    assert by_completion - by_schedule == {"turnaround_p99_ms", "littles_law"}
    assert by_schedule - by_completion == {
        "schedule_lag_p99_ms",
        "schedule_lag_share",
        "sent_rate_shortfall",
        "rate_shortfall",
    }


@pytest.mark.parametrize("timestamps", ["kernel", "user", "mixed"])
def test_a_late_loop_is_fatal_only_where_it_makes_the_stamps_late(timestamps):
    facts = {"timestamps": timestamps, "loop_lag_p99_ns": 9 * MS}
    check = checks_of(closed(facts=facts))["loop_lag_p99_ms"]
    assert not check.ok
    assert check.fatal == (timestamps != "kernel")
    facts["loop_lag_p99_ns"] = 5 * MS
    assert checks_of(closed(facts=facts))["loop_lag_p99_ms"].ok


def test_slow_answers_allow_more_lag():
    """TTFT is half of the latency here: 1 s of it allows 50 ms."""
    slow = closed(loop={"latency_ms": 2000.0}, facts={"loop_lag_p99_ns": 49 * MS})
    assert checks_of(slow)["loop_lag_p99_ms"].ok
    slow = replace(slow, facts=replace(slow.facts, loop_lag_p99_ns=51 * MS))
    assert not checks_of(slow)["loop_lag_p99_ms"].ok


def test_a_run_that_was_cut_short_is_none_even_if_everything_was_sent_or_a_limit_allows_it():
    lax = config_of(load={"concurrency": 2}, verdict={"validity": {"unsent_share": 1.0}})
    check = checks_of(closed(facts={"cut_short": "the time was up"}), lax)["unsent_share"]
    assert not check.ok
    assert "cut short (the time was up)" in check.advice


def test_a_run_that_its_duration_ended_owes_no_requests():
    timed = config_of(load={"concurrency": 2, "duration_s": 5, "request_count": 300})
    assert checks_of(closed(facts={"planned": 300}), timed)["unsent_share"].ok
    assert checks_of(closed(facts={"planned": None}))["unsent_share"].ok


def test_cancellations_that_were_asked_for_are_the_load():
    asked = config_of(load={"concurrency": 2, "cancellation_percent": 25})
    quarter = closed(outcome=every(4, Outcome.CANCELLED))
    assert not checks_of(quarter)["cancelled_share"].ok
    assert checks_of(quarter, asked)["cancelled_share"].value == 0


def test_lengths_that_differ_from_request_to_request_are_not_compared_with_one():
    assert "osl_as_asked" not in checks_of(closed(), asked_osl=None)


def test_a_late_start_within_the_warm_up_spoils_nothing():
    late = closed(facts={"workers": 2, "late_start_ns": 900 * MS})
    assert not checks_of(late)["late_start_ms"].ok
    assert checks_of(late, warm_up=20)[
        "late_start_ms"
    ].ok  # the window begins with the 20th completion, at 1 s
    assert "late_start_ms" not in checks_of(closed())


def test_slots_that_wait_on_purpose_are_not_late():
    idle = closed(loop={"idle_ms": 50.0})
    assert not checks_of(idle)["littles_law"].ok
    for purpose in (
        {"load": {"concurrency": 2, "prefill_concurrency": 1}},
        {"load": {"concurrency": 2, "concurrency_ramp_s": 60}},
        {"load": {"concurrency": 2}, "input": {"turns": 2, "turn_delay_ms": 50}},
    ):
        assert not {"littles_law", "turnaround_p99_ms"} & checks_of(idle, config_of(**purpose)).keys()


def test_a_ramp_that_was_over_when_measuring_began_is_no_excuse():
    ramped = config_of(load={"concurrency": 2, "concurrency_ramp_s": 0.5})
    assert not checks_of(closed(loop={"idle_ms": 50.0}), ramped, warm_up=20)["littles_law"].ok


def test_few_late_refills_change_no_figure():
    """2 % of the gaps are 20 ms long: their p99 is far over the limit, and slots are busy 99 % of the time."""
    checks = checks_of(closed(400, loop={"idle_ms": every(50, 20.0, n=400, others=0.0)}))
    assert not checks["turnaround_p99_ms"].ok
    assert not checks["turnaround_p99_ms"].fatal
    assert checks["littles_law"].ok
    assert checks["littles_law"].value < 0.01


def test_opening_a_connection_is_not_the_load_process_being_late():
    late = closed(loop={"idle_ms": 20.0})
    assert not checks_of(late)["littles_law"].ok
    connecting = replace(late, connecting_ns=np.full(len(late), 20 * MS, dtype=np.int64))
    checks = checks_of(connecting)
    assert checks["turnaround_p99_ms"].value == 0
    assert checks["littles_law"].ok


def test_a_request_that_was_never_sent_was_not_in_flight():
    half = closed()
    t0 = half.t0.copy()
    t0[half.slot == 1] = ABSENT
    never = replace(half, t0=t0, outcome=np.where(half.slot == 1, Outcome.ERROR, Outcome.OK).astype(np.int8))
    assert checks_of(never)["littles_law"].value == pytest.approx(0.5, abs=0.01)


def test_in_flight_is_measured_and_not_estimated():
    """Rate times mean latency is off by more than 5 % in many short sound runs; the average in flight never is."""
    rng = np.random.default_rng(1)
    slots, estimates = 16, []
    for _ in range(40):
        latency, free, t0, slot = rng.lognormal(4.6, 0.6, 80), np.zeros(slots), np.zeros(80), np.zeros(80)
        for i in range(80):
            slot[i] = free.argmin()
            t0[i] = free[int(slot[i])]
            free[int(slot[i])] += latency[i]
        # The last completions are left out: their slots could not be refilled.
        run = run_of(
            batch_of(t0, latency, slot=slot, facts={"concurrency": slots, "planned": 80}), warm_up=20
        )
        ends = np.sort(run.batch.t_end)
        cut = replace(run, window=replace(run.window, end_ns=int(ends[-slots])))
        inside = (run.batch.t_end > cut.window.start_ns) & (run.batch.t_end <= cut.window.end_ns)
        by_name = {c.check: c for c in check_run(cut, config_of(load={"concurrency": slots}))}
        assert by_name["littles_law"].value < 1e-6
        took_s = (run.batch.t_end - run.batch.t0)[inside] / 1e9
        estimates.append(abs(slots - took_s.sum() / cut.window.seconds) / slots)
    assert np.mean(np.array(estimates) > 0.05) > 1 / 3


def test_a_few_late_sends_are_no_part_of_the_time_that_passes():
    checks = checks_of(opened(loop={"late_ms": every(50, 30.0)}), OPEN)
    assert not checks["schedule_lag_p99_ms"].ok
    assert checks["schedule_lag_share"].ok


def test_waiting_for_the_server_is_not_the_load_process_being_late():
    """Two requests a time, due each 10 ms, 100 ms each: all wait for a slot, and are sent as soon as there is one."""
    made = closed_loop(200, slots=2, idle_ms=0.0)
    due = (np.arange(200) * 10.0 * MS).astype(np.int64)
    facts = {"open_loop": True, "concurrency": 2}
    waiting = batch_of(**(made | {"t0_ms": made["t0_ms"] + 10.0, "t_plan": due, "facts": facts}))
    config = config_of(load={"request_rate": 100, "request_count": 200, "concurrency": 2})
    checks = checks_of(waiting, config)
    assert checks["schedule_lag_p99_ms"].ok
    assert checks["sent_rate_shortfall"].ok
    # And that the server does not keep up is told, as what it is.
    assert not checks["rate_shortfall"].ok
    assert checks["rate_shortfall"].value == pytest.approx(0.8, abs=0.05)


def test_a_turn_waits_for_the_one_before_and_for_its_pause():
    n = 200
    conversation = np.arange(n) // 2
    due = conversation * 300.0
    t0 = due + np.where(np.arange(n) % 2, 100.0 + 40.0, 0.0)
    made = open_loop(n) | {"t0_ms": t0, "t_plan": (due * MS).astype(np.int64), "conversation": conversation}
    load = {"request_rate": 5, "request_count": n}
    with_pause = config_of(load=load, input={"turns": 2, "turn_delay_ms": 40})
    assert checks_of(batch_of(**made), with_pause)["schedule_lag_p99_ms"].value == 0
    assert not checks_of(batch_of(**made), config_of(load=load, input={"turns": 2}))["schedule_lag_p99_ms"].ok


def test_latencies_that_vary_are_no_shortfall():
    """As in a queue each is much like the last: a line through them rises, and yet that is chance."""
    rng, rising = np.random.default_rng(2), 0
    for _ in range(20):
        wave = np.convolve(rng.normal(0, 60, 240), 0.9 ** np.arange(40), mode="valid")[:200]
        latency = 800 + wave
        rising += np.polyfit(np.arange(200) * 10.0, latency, 1)[0] > 0.03
        assert checks_of(opened(latency_ms=latency), OPEN)["rate_shortfall"].ok
    assert rising >= 3


def test_few_requests_have_no_rate():
    few = opened(20, loop={"late_ms": np.linspace(0, 60, 20)})
    assert not {"sent_rate_shortfall", "rate_shortfall"} & checks_of(few, OPEN).keys()


def test_a_run_in_which_nothing_succeeded_is_told_without_failing_over_it():
    checks = checks_of(closed(outcome=Outcome.ERROR))
    assert checks["error_share"].value == 1.0
    assert {c.check for c in checks.values() if not c.ok} == {"error_share"}
