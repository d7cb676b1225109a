"""Answers that come as they should, however they are cut up."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from scripted_server import (
    DONE,
    LAST_CHUNK,
    ROLE,
    STORY,
    STREAM_HEAD,
    USAGE,
    answering,
    chunk,
    event,
    head,
    stream,
    token,
    whole,
)

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.engine.request_bytes import request_number

JSON_ANSWER = (
    b'{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":3}}'
)


def test_a_complete_stream_gives_one_ok_row_with_its_counts(load, serve):
    batch = load(serve(answering(stream(STORY))))
    assert (len(batch), batch.outcome[0], batch.status[0], batch.error[0]) == (1, Outcome.OK, 200, ABSENT)
    assert (batch.input_tokens[0], batch.output_tokens[0], batch.reasoning_tokens[0]) == (7, 3, 1)
    assert batch.content_count().tolist() == [3]
    assert batch.errors == ()


def test_stamps_of_a_request_are_in_the_order_of_its_life(load, serve):
    batch = load(serve(answering(stream(STORY))), requests=20, concurrency=2)
    assert (batch.t_plan == ABSENT).all()
    life = [batch.t0, batch.t_sent, batch.t_hdr, batch.content_at(0), batch.content_at(-1), batch.t_end]
    for earlier, later in pairwise(life):
        assert (earlier <= later).all()
    assert (batch.t0 >= 0).all()
    assert batch.facts.end_ns == batch.t_end.max()


def test_messages_that_share_a_read_are_counted_as_coalesced(load, serve):
    batch = load(serve(answering(stream(STORY))))
    assert batch.coalesced.tolist() == [3]
    assert len(set(batch.content_ns.tolist())) == 1


def test_messages_that_come_alone_have_stamps_of_their_own(load, serve):
    def script(wire):
        while wire.request() is not None:
            wire.send(STREAM_HEAD)
            for piece in STORY:
                time.sleep(0.01)  # apart on the wire: the subject of the test
                wire.send(chunk(piece))
            wire.send(LAST_CHUNK)

    batch = load(serve(script))
    assert batch.coalesced.tolist() == [0]
    gaps = np.diff(batch.content_ns)
    assert (gaps >= 9_000_000).all()
    assert batch.content_at(0)[0] - batch.t0[0] >= 19_000_000


@pytest.mark.parametrize("at", range(1, len(stream([ROLE, token("a"), token("b", '"stop"'), DONE])), 7))
def test_a_stream_split_anywhere_reads_the_same(load, serve, at):
    answer = stream([ROLE, token("a"), token("b", '"stop"'), DONE])

    def script(wire):
        while wire.request() is not None:
            wire.send(answer[:at])
            time.sleep(0.002)
            wire.send(answer[at:])

    batch = load(serve(script))
    assert (batch.outcome[0], batch.content_count()[0]) == (Outcome.OK, 2)


def test_a_stream_sent_byte_by_byte_reads_the_same(load, serve):
    answer = stream(STORY)

    def script(wire):
        while wire.request() is not None:
            for i in range(len(answer)):
                wire.send(answer[i : i + 1])

    batch = load(serve(script), requests=3)
    assert batch.outcome.tolist() == [Outcome.OK] * 3
    assert batch.content_count().tolist() == [3, 3, 3]


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_streams_with_other_line_ends_read_the_same(load, serve, end):
    batch = load(serve(answering(stream([piece.replace(b"\n", end) for piece in STORY]))))
    assert (batch.outcome[0], batch.content_count()[0], batch.output_tokens[0]) == (Outcome.OK, 3, 3)


def test_comments_and_other_fields_between_messages_are_no_messages(load, serve):
    noisy = [b": ping\n\n", b"event: chunk\nid: 7\nretry: 10\n" + STORY[1], b":\n\n", *STORY[2:]]
    batch = load(serve(answering(stream(noisy))))
    assert (batch.outcome[0], batch.content_count()[0]) == (Outcome.OK, 3)


def test_a_stream_without_chunked_encoding_ends_with_its_length(load, serve):
    batch = load(serve(answering(whole(b"".join(STORY), content_type="text/event-stream"))), requests=2)
    assert batch.outcome.tolist() == [Outcome.OK] * 2
    assert batch.content_count().tolist() == [3, 3]


def test_done_without_a_blank_line_after_it_still_ends_the_stream(load, serve):
    batch = load(serve(answering(stream([token("a", '"stop"'), b"data: [DONE]"]))))
    assert batch.outcome[0] == Outcome.OK


def test_an_interim_answer_is_not_the_answer(load, serve):
    early = head("103 Early Hints", link="</x>; rel=preload")
    batch = load(serve(answering(early + stream(STORY))))
    assert (batch.outcome[0], batch.status[0]) == (Outcome.OK, 200)


def test_an_answer_that_is_not_streamed_has_one_content_stamp_at_its_end(load, serve):
    batch = load(serve(answering(whole(JSON_ANSWER))), requests=2, streaming=False)
    assert batch.outcome.tolist() == [Outcome.OK] * 2
    assert batch.content_ns.tolist() == batch.t_end.tolist()
    assert batch.output_tokens.tolist() == [3, 3]


def test_the_first_message_says_how_many_tokens_it_holds_where_the_server_counts(load, serve):
    first = event(
        '{"choices":[{"delta":{"content":"ab"}}],"usage":{"prompt_tokens":7,"completion_tokens":2}}'
    )
    batch = load(serve(answering(stream([ROLE, first, token("c", '"stop"'), USAGE, DONE]))))
    assert (batch.first_tokens[0], batch.output_tokens[0]) == (2, 3)


def test_what_the_server_never_counted_is_absent_and_a_counted_zero_is_zero(load, serve):
    zero = event('{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}')
    uncounted = load(serve(answering(stream([token("a", '"stop"'), DONE]))))
    counted = load(serve(answering(stream([token("a", '"stop"'), zero, DONE]))))
    assert (uncounted.input_tokens[0], uncounted.output_tokens[0]) == (ABSENT, ABSENT)
    assert (counted.input_tokens[0], counted.output_tokens[0], counted.reasoning_tokens[0]) == (0, 0, ABSENT)


def test_rows_are_in_the_order_of_completion_and_every_request_has_one(load, serve):
    def script(wire):
        while (request := wire.request()) is not None:
            index = request_number(request.headers["x-request-id"])
            time.sleep(0.02 if index % 4 == 0 else 0.001)  # the first of each four is overtaken
            wire.send(stream([token("x")] * (index % 3) + [token("z", '"stop"')]))

    batch = load(serve(script), requests=40, concurrency=4)
    assert sorted(batch.request_index.tolist()) == list(range(40))
    assert batch.request_index.tolist() != list(range(40))
    assert (np.diff(batch.t_end) >= 0).all()
    assert (batch.content_count() == batch.request_index % 3 + 1).all()
    inside = (batch.content_at(0) >= batch.t0) & (batch.content_at(-1) <= batch.t_end)
    assert inside.all()


def test_requests_are_sent_once_each_and_in_order(load, serve):
    server = serve(answering(stream(STORY)))
    bodies = [b'{"n":%d}' % i for i in range(30)]
    batch = load(server, concurrency=1, bodies=bodies)
    assert [r.body for r in server.requests] == bodies
    assert [request_number(r.headers["x-request-id"]) for r in server.requests] == list(range(30))
    assert batch.request_index.tolist() == list(range(30))


def test_there_are_never_more_in_flight_than_slots_and_each_slot_is_one_after_another(load, serve):
    batch = load(serve(answering(stream(STORY))), requests=200, concurrency=5)
    assert sorted(set(batch.slot.tolist())) == [0, 1, 2, 3, 4]
    for slot in range(5):
        mine = np.argsort(batch.t0[batch.slot == slot])
        begun, ended = batch.t0[batch.slot == slot][mine], batch.t_end[batch.slot == slot][mine]
        assert (begun[1:] >= ended[:-1]).all()


def test_the_drain_begins_with_the_first_end_that_is_not_followed_by_a_send(load, serve):
    batch = load(serve(answering(stream(STORY))), requests=50, concurrency=5)
    last_of_slots = [batch.t_end[batch.slot == s].max() for s in range(5)]
    assert batch.facts.drain_ns == min(last_of_slots)
    assert batch.t0.max() >= batch.facts.drain_ns or batch.t_end[batch.t_end <= batch.facts.drain_ns].size


def test_more_slots_than_requests_drain_from_the_start(load, serve):
    server = serve(answering(stream(STORY)))
    batch = load(server, requests=3, concurrency=10)
    assert sorted(batch.slot.tolist()) == [0, 1, 2]
    assert batch.facts.drain_ns == 0
    assert server.connections == 3


def test_progress_ends_with_everything_ended(load, serve):
    seen = []
    load(serve(answering(stream(STORY))), requests=10, concurrency=2, on_progress=seen.append)
    assert (seen[-1].planned, seen[-1].sent, seen[-1].ended, seen[-1].failed) == (10, 10, 10, 0)
