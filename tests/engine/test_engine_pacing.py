"""When requests are sent, on virtual time: every moment is asserted exactly."""

from __future__ import annotations

import numpy as np
import pytest
from virtual_time import MS, ROLE, START, TOKEN, Answer, S, plan, virtual_run

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.engine.arrivals import arrival_times_ns
from pytest_aiperf.engine.plan import NEVER
from pytest_aiperf.engine.transport import Failure
from pytest_aiperf.engine.users import user_schedule


def constant(rate, count, **more):
    return arrival_times_ns("constant", rate=rate, count=count, seed=0, **more)


@pytest.mark.parametrize(("requests", "rate"), [(1, 1), (10, 4), (1000, 250), (333, 0.5)])
def test_n_requests_at_rate_r_end_at_exactly_n_over_r(requests, rate):
    """K5."""
    due_ns = constant(rate, requests)
    run = virtual_run(plan(requests, due_ns=due_ns))
    assert run.end_ns == round(requests / rate * S)
    assert run.t0() == run.t_plan() == due_ns.tolist()


def test_a_slow_server_does_not_slow_an_open_loop_down():
    run = virtual_run(plan(50, due_ns=constant(100, 50)), answer=10 * S)
    assert run.t0() == [i * 10 * MS for i in range(1, 51)]
    assert run.most_in_flight == 50
    assert run.drain_ns == 500 * MS


def test_with_a_limit_late_requests_wait_in_order_and_none_is_dropped():
    run = virtual_run(plan(6, due_ns=constant(10, 6), concurrency=2), answer=350 * MS)
    assert run.order() == list(range(6))
    assert run.t_plan() == [i * 100 * MS for i in range(1, 7)]
    assert run.t0() == [t * MS for t in (100, 200, 450, 550, 800, 900)]
    assert run.most_in_flight == 2


def test_requests_due_at_the_same_moment_go_in_the_order_of_the_plan():
    run = virtual_run(plan(5, due_ns=np.array([0, 7, 7, 7, 7])))
    assert [e.index for e in run.rows] == [0, 1, 2, 3, 4]
    assert run.t0() == [0, 7, 7, 7, 7]


def test_a_late_start_sends_what_was_due_at_once_and_counts_times_from_the_common_start():
    run = virtual_run(plan(4, due_ns=constant(10, 4)), start_ns=START - 250 * MS)
    assert run.t_plan() == [-150 * MS, -50 * MS, 50 * MS, 150 * MS]
    assert run.t0() == [0, 0, 50 * MS, 150 * MS]


def test_reading_many_answers_stops_for_a_request_that_is_due():
    due_ns = np.array([0] * 10 + [13 * MS + 1])
    run = virtual_run(plan(11, due_ns=due_ns), answer=10 * MS, reading_ns=MS)
    assert run.t0()[-1] == 14 * MS


# Closed loop.


@pytest.mark.parametrize("closed", [True, False])
def test_all_slots_are_refilled_before_the_first_answer_is_read(closed):
    run = virtual_run(plan(20, concurrency=10), answer=10 * MS, reading_ns=MS, closed=closed)
    assert run.t0() == [0] * 10 + [10 * MS] * 10


@pytest.mark.parametrize("closed", [True, False])
def test_a_closed_loop_sends_the_next_request_at_the_moment_one_ends(closed):
    run = virtual_run(plan(7, concurrency=3), answer=lambda e: Answer((e.slot + 1) * MS), closed=closed)
    assert sorted(e.slot for e in run.sent[:3]) == [0, 1, 2]
    assert run.t0() == [t * MS for t in (0, 0, 0, 1, 2, 2, 3)]
    assert run.most_in_flight == 3
    assert run.drain_ns == 3 * MS
    assert all(e.t_plan == 0 for e in run.rows)


@pytest.mark.parametrize("closed", [True, False])
def test_bodies_are_used_again_until_the_count_is_full(closed):
    run = virtual_run(plan(bodies=[b"one", b"two", b"3"], count=8, concurrency=2), answer=MS, closed=closed)
    assert run.order() == list(range(8))
    assert [e.request.rsplit(b"\r\n", 1)[1] for e in run.sent] == [b"one", b"two", b"3"] * 2 + [
        b"one",
        b"two",
    ]
    assert len({e.request.split(b"x-request-id")[1][:50] for e in run.sent}) == 8


def test_more_slots_than_requests_drain_from_the_start():
    for closed in (True, False):
        assert virtual_run(plan(2, concurrency=3), answer=MS, closed=closed).drain_ns == 0


# Ramps.


@pytest.mark.parametrize(
    ("shape", "steps"),
    [("linear", [0, 25, 50, 75, 100]), ("exponential", [0, 50, 70.710678, 86.602540, 100])],
)
def test_a_concurrency_ramp_adds_a_slot_at_exactly_its_time(shape, steps):
    run = virtual_run(plan(5, concurrency=5, concurrency_ramp_s=0.1, ramp_shape=shape), answer=10 * S)
    assert run.t0() == [round(t * MS) for t in steps]


def test_slots_that_a_ramp_has_not_opened_are_not_a_drain():
    run = virtual_run(plan(30, concurrency=3, concurrency_ramp_s=0.1), answer=9 * MS)
    assert run.most_in_flight == 3
    assert run.t0().count(0) == 1
    assert run.drain_ns == min(e.t_end - START for e in run.sent[-3:])


@pytest.mark.parametrize("shape", ["linear", "exponential"])
def test_a_rate_ramp_sends_the_integral_of_the_rate(shape):
    """A ramp of D to rate r lets r D / 2 requests through, one that is quadratic r D / 3; then one each 1 / r."""
    share = {"linear": 1 / 2, "exponential": 1 / 3}[shape]
    due_ns = constant(60, 600, ramp_s=6.0, ramp_shape=shape)
    run = virtual_run(plan(600, due_ns=due_ns))
    t0 = np.array(run.t0())
    assert np.count_nonzero(t0 <= 6 * S) == 60 * 6 * share
    assert np.allclose(np.diff(t0[t0 > 6 * S]), S / 60, atol=1)
    assert (np.diff(t0[t0 <= 6 * S], n=2) <= 1).all()
    assert run.end_ns == round((600 / 60 + 6 * (1 - share)) * S)


# Prefill limit.


def streaming(exchange):
    return Answer(50 * MS, parts=[(5 * MS, ROLE), (10 * MS, TOKEN), (20 * MS, TOKEN)])


def test_a_prefill_limit_is_released_by_the_first_content_and_not_by_an_empty_message():
    run = virtual_run(plan(4, concurrency=4, prefill_concurrency=1), answer=streaming)
    assert run.t0() == [0, 10 * MS, 20 * MS, 30 * MS]
    assert run.most_in_flight == 4
    assert all(e.watch is None for e in run.rows)


def test_a_prefill_limit_is_released_by_the_end_where_no_content_came():
    def failing(exchange):
        return Answer(7 * MS, parts=[(1 * MS, ROLE)], failure=Failure("reset", "gone"))

    run = virtual_run(plan(3, concurrency=3, prefill_concurrency=1), answer=failing)
    assert run.t0() == [0, 7 * MS, 14 * MS]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(9 * MS, parts=[(MS, TOKEN)], status=500), id="an error's body"),
        pytest.param(
            Answer(9 * MS, parts=[(MS, b"data: {\n\n"), (2 * MS, TOKEN)]), id="behind what is not JSON"
        ),
        pytest.param(Answer(9 * MS, parts=[(MS, TOKEN[:-1])]), id="a message that is not complete"),
    ],
)
def test_what_is_not_content_does_not_release_a_prefill_slot(answer):
    run = virtual_run(plan(2, concurrency=2, prefill_concurrency=1), answer=lambda _: answer)
    assert run.t0() == [0, 9 * MS]


def test_a_prefill_limit_holds_in_an_open_loop_too():
    run = virtual_run(plan(4, due_ns=np.zeros(4, dtype=np.int64), prefill_concurrency=2), answer=streaming)
    assert run.t0() == [0, 0, 10 * MS, 10 * MS]
    assert run.t_plan() == [0, 0, 0, 0]


# Cancellation.


def test_a_request_is_cancelled_so_long_after_its_last_byte_was_sent():
    cancel = np.array([NEVER, 30 * MS, 0, 30 * MS])
    run = virtual_run(
        plan(4, due_ns=np.array([0, MS, 2 * MS, 3 * MS]), cancel_after_ns=cancel),
        answer=lambda e: Answer(20 * MS if e.index == 3 else S, sending_ns=7 * MS * (e.index == 1)),
    )
    assert run.outcomes() == {
        0: Outcome.OK,
        1: Outcome.CANCELLED,
        2: Outcome.CANCELLED,
        3: Outcome.OK,  # had ended before
    }
    by_index = {e.index: e for e in run.rows}
    assert by_index[1].t_end - by_index[1].t_sent == 30 * MS
    assert by_index[1].t_sent - by_index[1].t0 == 7 * MS
    assert by_index[2].t_end == by_index[2].t_sent


def test_a_cancelled_request_frees_its_slot():
    run = virtual_run(plan(4, concurrency=1, cancel_after_ns=np.full(4, 5 * MS)), answer=S)
    assert run.t0() == [0, 5 * MS, 10 * MS, 15 * MS]
    assert set(run.outcomes().values()) == {Outcome.CANCELLED}


def test_cancellations_come_back_with_the_bodies():
    cancel = np.array([NEVER, 5 * MS])
    run = virtual_run(plan(2, count=6, concurrency=1, cancel_after_ns=cancel), answer=20 * MS)
    assert [run.outcomes()[i] is Outcome.CANCELLED for i in range(6)] == [False, True] * 3


# Users.


def test_users_send_in_their_rhythm_and_turns_wait_for_their_answers():
    schedule = user_schedule([4], users=3, rate=10, count=30)
    columns = {name: getattr(schedule, name) for name in ("due_ns", "conversation", "after_offsets", "after")}
    run = virtual_run(plan(30, **columns), answer=50 * MS)
    assert run.t0() == [i * 100 * MS for i in range(30)]
    late = virtual_run(plan(30, **columns), answer=lambda e: Answer((e.index == 3) * 700 * MS))
    of_user = [e.t0 - START for e in sorted(late.rows, key=lambda e: e.index) if e.index % 3 == 0]
    assert schedule.turn[0:15:3].tolist() == [0, 1, 2, 3, 0]
    # Turn 1 takes until 1 000. Turns 2 and 3, due at 600 and 900, wait for it; the next conversation is in time.
    assert of_user == [t * MS for t in (0, 300, 1000, 1000, 1200, 1500, 1800, 2100, 2400, 2700)]


# The run's end.


@pytest.mark.parametrize("closed", [True, False])
def test_nothing_is_sent_after_the_duration_and_what_is_in_flight_may_end(closed):
    run = virtual_run(plan(1, concurrency=2, duration_s=0.1), answer=30 * MS, closed=closed)
    assert run.t0() == [t * MS for t in (0, 0, 30, 30, 60, 60, 90, 90)]
    assert run.end_ns == 120 * MS
    assert run.drain_ns == 120 * MS
    assert run.halted


@pytest.mark.parametrize("closed", [True, False])
def test_of_count_and_duration_the_first_ends_the_run(closed):
    by_count = virtual_run(plan(1, concurrency=1, count=3, duration_s=1.0), answer=MS, closed=closed)
    assert (len(by_count.rows), by_count.halted) == (3, False)
    by_duration = virtual_run(plan(1, concurrency=1, count=3, duration_s=0.0015), answer=MS, closed=closed)
    assert (len(by_duration.rows), by_duration.halted) == (2, True)


def test_an_open_loop_sends_what_is_due_until_its_duration_is_over_that_moment_included():
    run = virtual_run(plan(100, due_ns=constant(100, 100), duration_s=0.5))
    assert run.t0()[-1] == 500 * MS
    assert len(run.rows) == 50
    assert plan(100, due_ns=constant(100, 100), duration_s=0.5).planned == 50


def test_an_alarm_that_rings_late_lets_nothing_pass_that_was_due_after_the_duration():
    late = plan(3, due_ns=np.array([0, 100, 101]) * MS, duration_s=0.1)
    assert virtual_run(late, alarm_late_ns=5 * MS).t_plan() == [0, 100 * MS]
    closed = plan(1, conversation=np.zeros(1, dtype=np.int32), concurrency=1, duration_s=0.1)
    assert virtual_run(closed, answer=102 * MS, alarm_late_ns=5 * MS).t0() == [0]


@pytest.mark.parametrize("closed", [True, False])
def test_a_run_whose_count_was_sent_when_its_duration_was_over_is_complete(closed):
    run = virtual_run(plan(1, concurrency=1, duration_s=0.01, count=1), answer=20 * MS, closed=closed)
    assert not run.halted


def test_requests_that_wait_for_a_slot_when_the_duration_is_over_are_not_sent():
    limited = plan(10, due_ns=constant(100, 10), concurrency=1, duration_s=0.1)
    run = virtual_run(limited, answer=40 * MS)
    assert run.t0() == [10 * MS, 50 * MS, 90 * MS]
    assert limited.planned == 10


@pytest.mark.parametrize("closed", [True, False])
def test_a_cut_cancels_what_is_in_flight_and_sends_no_more(closed):
    run = virtual_run(plan(9, concurrency=2), answer=40 * MS, closed=closed, cut_at_ns=50 * MS)
    assert sorted(run.outcomes().items()) == [(0, 0), (1, 0), (2, Outcome.CANCELLED), (3, Outcome.CANCELLED)]
    assert not run.halted


def test_a_cut_while_nothing_is_in_flight_ends_the_run():
    run = virtual_run(plan(2, due_ns=np.array([0, 10 * S])), answer=MS, cut_at_ns=50 * MS)
    assert run.order() == [0]
