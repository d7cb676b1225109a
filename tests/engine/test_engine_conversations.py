"""Requests that follow others: turns of conversations, forks, joins, delays, and what a failure does to them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scripted_server import STORY, answering, stream
from virtual_time import MS, Answer, plan, virtual_run

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.engine.conversations import is_last_turn, order_of, turns_in_order
from pytest_aiperf.engine.transport import Failure

FAILED = Failure("reset", "gone")


def linked(prerequisites, **fields):
    order = order_of(prerequisites)
    return plan(len(prerequisites), after_offsets=order.after_offsets, after=order.after, **fields)


def times(run):
    return {e.index: e.t0 // MS - run.sent[0].t0 // MS for e in run.sent}


def failing(*indices, after_ns=10 * MS):
    return lambda e: Answer(after_ns, failure=FAILED if e.index in indices else None)


# Order.


def test_turns_of_a_conversation_are_sent_one_after_the_other():
    run = virtual_run(linked([[], [0], [1], [], [3]], concurrency=9), answer=10 * MS)
    assert times(run) == {0: 0, 3: 0, 1: 10, 4: 10, 2: 20}
    assert run.drain_ns == 0


def test_a_closed_loop_goes_on_with_a_conversation_before_it_begins_another():
    run = virtual_run(
        linked([[], [0], [], [2], [], [4]], concurrency=2), answer=lambda e: Answer((10 + e.slot) * MS)
    )
    assert run.order() == [0, 2, 1, 3, 4, 5]
    assert [e.slot for e in run.sent] == [0, 1, 0, 1, 0, 0]


def test_a_delay_counts_from_the_end_of_the_last_one_and_is_the_plan():
    delay = np.array([0, 50 * MS, 0])
    run = virtual_run(linked([[], [0], [1]], concurrency=1, delay_ns=delay), answer=10 * MS)
    assert times(run) == {0: 0, 1: 60, 2: 70}
    assert [e.t_plan - run.sent[0].t0 for e in run.sent[1:2]] == [60 * MS]
    assert [e.t_plan for e in run.sent[::2]] == [0, 0]


def test_a_slot_does_not_wait_for_a_delay():
    run = virtual_run(linked([[], [0], []], concurrency=1, delay_ns=np.full(3, 5 * MS)), answer=10 * MS)
    assert times(run) == {0: 0, 2: 10, 1: 20}
    assert run.sent[2].t_plan - run.sent[0].t0 == 15 * MS


def test_a_fork_sends_all_branches_and_a_join_waits_for_the_last_one():
    run = virtual_run(
        linked([[], [0], [0], [0], [1, 2, 3]], concurrency=9),
        answer=lambda e: Answer((e.index + 1) * 10 * MS),
    )
    assert times(run) == {0: 0, 1: 10, 2: 10, 3: 10, 4: 50}


def test_a_follower_with_a_due_time_is_sent_at_the_later_of_the_two():
    run = virtual_run(linked([[], [0], [0]], due_ns=np.array([0, 5 * MS, 40 * MS])), answer=20 * MS)
    assert times(run) == {0: 0, 1: 20, 2: 40}
    assert [e.t_plan - run.sent[0].t_plan for e in run.sent] == [0, 20 * MS, 40 * MS]


def test_bodies_that_are_used_again_are_new_conversations():
    order = turns_in_order(np.array([0, 0, 1], dtype=np.int32))
    columns = {"after_offsets": order.after_offsets, "after": order.after}
    run = virtual_run(plan(3, count=8, concurrency=1, conversation=np.array([0, 0, 1]), **columns), answer=MS)
    assert run.order() == list(range(8))
    assert [e.conversation for e in run.sent] == [0, 0, 1, 2, 2, 3, 4, 4]


def test_a_count_ends_conversations_in_the_middle():
    run = virtual_run(linked([[], [0], [1]], concurrency=1, count=5), answer=failing(3))
    assert run.order() == [0, 1, 2, 3]
    assert sorted(e.index for e in run.rows) == [0, 1, 2, 3, 4]


def test_a_duration_ends_conversations_in_the_middle():
    run = virtual_run(linked([[], [0], [1]], concurrency=1, duration_s=0.015), answer=10 * MS)
    assert len(run.rows) == 2
    assert run.halted


def test_turns_in_order_links_interleaved_conversations():
    order = turns_in_order(np.array([7, 2, 7, ABSENT, 2, ABSENT, 7], dtype=np.int32))
    follows = [
        order.after[a:b].tolist() for a, b in zip(order.after_offsets, order.after_offsets[1:], strict=False)
    ]
    assert follows == [[], [], [0], [], [1], [], [2]]
    assert is_last_turn(np.array([7, 2, 7, ABSENT, 2, ABSENT, 7])) == [False] * 3 + [True] * 4


def test_an_exchange_knows_its_conversation_and_whether_it_is_the_last_of_it():
    run = virtual_run(plan(4, concurrency=1, conversation=np.array([5, 5, ABSENT, 5])), answer=MS)
    assert [(e.conversation, e.last_of_conversation) for e in run.sent] == [
        (5, False),
        (5, False),
        (ABSENT, True),
        (5, True),
    ]


# After a failure.


def test_what_follows_a_failed_request_is_recorded_once_and_not_sent():
    run = virtual_run(linked([[], [0], [1], []], concurrency=1), answer=failing(0))
    assert run.order() == [0, 3]
    assert sorted(e.index for e in run.rows) == [0, 1, 2, 3]
    skipped = [e for e in run.rows if e.index in (1, 2)]
    assert {e.failure for e in skipped} == {Failure("skipped", "not sent: a request that it follows failed")}
    assert all(e.t0 == 0 and e.t_end == run.sent[0].t_end and not e.cancelled for e in skipped)


def test_a_join_of_which_one_failed_is_given_up_once_when_the_last_one_has_ended():
    run = virtual_run(
        linked([[], [], [0, 1], [2]], concurrency=2),
        answer=lambda e: failing(0, after_ns=(e.index + 1) * MS)(e),
    )
    assert [e.index for e in run.rows] in ([0, 1, 2, 3], [0, 1, 3, 2])
    assert run.rows[-1].t_end == run.sent[1].t_end


def test_the_other_branches_of_a_fork_go_on():
    run = virtual_run(linked([[], [0], [0], [1], [2]], concurrency=9), answer=failing(1))
    assert run.order() == [0, 1, 2, 4]
    assert run.outcomes()[3] is Outcome.ERROR


def test_what_follows_a_cancelled_request_is_cancelled_and_no_error():
    cancel = np.array([MS, -1, -1])
    run = virtual_run(linked([[], [0], [1]], concurrency=1, cancel_after_ns=cancel), answer=10 * MS)
    assert run.order() == [0]
    assert set(run.outcomes().values()) == {Outcome.CANCELLED}


@pytest.mark.parametrize("cancelled_after_ms", [1, 19])
def test_a_failure_counts_more_than_a_cancellation(cancelled_after_ms):
    cancel = np.array([cancelled_after_ms * MS, -1, -1])
    run = virtual_run(
        linked([[], [], [0, 1]], concurrency=2, cancel_after_ns=cancel),
        answer=lambda e: failing(1, after_ns=(10 if e.index else 50) * MS)(e),
    )
    assert run.outcomes() == {0: Outcome.CANCELLED, 1: Outcome.ERROR, 2: Outcome.ERROR}


def test_a_run_of_which_all_fails_ends():
    run = virtual_run(linked([[], [0], [1]] + [[i] for i in range(2, 40)], concurrency=4), answer=failing(0))
    assert len(run.rows) == 41


# On real sockets.


def body(text):
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def chains(conversations, turns):
    number = np.repeat(np.arange(conversations, dtype=np.int32), turns)
    order = turns_in_order(number)
    return {"conversation": number, "after_offsets": order.after_offsets, "after": order.after}


def test_no_turn_is_sent_before_the_answer_to_the_one_before_it(load, serve):
    batch = load(serve(answering(stream(STORY))), requests=60, concurrency=7, **chains(12, 5))
    assert (batch.outcome == Outcome.OK).all()
    rows = np.argsort(batch.request_index)
    ends, begins = batch.t_end[rows].reshape(12, 5), batch.t0[rows].reshape(12, 5)
    assert (begins[:, 1:] >= ends[:, :-1]).all()
    assert batch.conversation[rows].tolist() == np.repeat(np.arange(12), 5).tolist()


def test_requests_of_a_conversation_that_need_not_wait_are_still_told_apart(load, serve):
    batch = load(serve(answering(stream(STORY))), requests=4, conversation=np.array([3, 3, ABSENT, 4]))
    assert batch.conversation[np.argsort(batch.request_index)].tolist() == [3, 3, ABSENT, 4]


def test_an_error_inside_a_stream_ends_the_conversation(load, serve):
    """Only reading the answer tells, so it is read before the next turn is sent."""
    broken = stream([*STORY[:-2], b'data: {"error":{"message":"out of memory"}}\n\n'])

    def script(wire):
        while (request := wire.request()) is not None:
            wire.send(broken if b"fail" in request.body else stream(STORY))

    server = serve(script)
    bodies = [body(text) for text in ("ok", "fail", "never", "never", "ok", "ok", "ok", "ok")]
    batch = load(server, bodies=bodies, concurrency=2, **chains(2, 4))
    assert len(batch) == 8
    assert not any(b"never" in request.body for request in server.requests)
    errors = {error.type: error.count for error in batch.errors}
    assert errors == {"stream": 1, "skipped": 2}
    skipped = np.isin(batch.request_index, [2, 3])
    assert (batch.outcome[skipped] == Outcome.ERROR).all()
    assert (batch.t0[skipped] == ABSENT).all()
    assert (batch.t_end[skipped] >= 0).all()
    assert (batch.sent_bytes[skipped] == 0).all()


@pytest.mark.parametrize("count", [None, 6])
def test_rows_of_a_part_of_a_plan_have_the_numbers_of_the_whole(load, serve, count):
    server = serve(answering(stream(STORY)))
    batch = load(server, requests=3, count=count, numbers=np.array([1, 4, 7], dtype=np.int32), whole=9)
    numbers = [1, 4, 7] if count is None else [1, 4, 7, 10, 13, 16]
    assert sorted(batch.request_index.tolist()) == numbers
    ids = [int(re.sub(r".*-", "", request.headers["x-request-id"]), 16) for request in server.requests]
    assert sorted(ids) == numbers
