"""What servers do wrong: each is one row with its class, its stamps, and a message that says what happened."""

from __future__ import annotations

import gzip
import time

import numpy as np
import pytest
from scripted_server import (
    DONE,
    LAST_CHUNK,
    ROLE,
    STORY,
    STREAM_HEAD,
    answering,
    chunk,
    event,
    head,
    stream,
    then_close,
    token,
    whole,
)

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.engine.request_bytes import request_number

SHORT = {"first_byte_timeout_s": 0.2, "stall_timeout_s": 0.2, "request_timeout_s": 5.0}


def only_error(batch):
    assert len(batch) == 1
    assert batch.error[0] == 0
    assert batch.errors[0].count == 1
    assert 0 <= batch.t0[0] <= batch.t_end[0]
    return batch.errors[0]


def test_a_reset_before_the_head_is_a_reset(load, serve):
    """G6."""

    def script(wire):
        wire.request()
        wire.reset()

    batch = load(serve(script))
    assert batch.outcome[0] == Outcome.ERROR
    assert only_error(batch).type == "reset"
    assert (batch.status[0], batch.t_hdr[0]) == (ABSENT, ABSENT)


def test_a_reset_in_the_middle_keeps_the_stamps_that_came_before_it(load, serve):
    def script(wire):
        wire.request()
        wire.send(STREAM_HEAD + chunk(ROLE) + chunk(token("a")))
        time.sleep(0.05)  # a RST would overtake what the client has not read yet
        wire.reset()

    batch = load(serve(script))
    assert only_error(batch).type == "reset"
    assert (batch.outcome[0], batch.status[0], batch.content_count()[0]) == (Outcome.ERROR, 200, 1)
    assert batch.t_end[0] > batch.content_at(0)[0]


def test_a_stream_that_ends_cleanly_without_finish_is_truncated(load, serve):
    batch = load(serve(answering(stream([ROLE, token("a"), token("b")]))))
    assert (batch.outcome[0], only_error(batch).type) == (Outcome.TRUNCATED, "truncated")
    assert batch.content_count()[0] == 2


def test_an_end_of_file_in_the_middle_of_a_chunk_is_truncated(load, serve):
    cut = STREAM_HEAD + chunk(ROLE) + chunk(token("a")) + chunk(token("b"))[:20]
    batch = load(serve(then_close(cut)))
    assert (batch.outcome[0], only_error(batch).type) == (Outcome.TRUNCATED, "truncated")
    assert batch.content_count()[0] == 1


def test_a_body_shorter_than_its_content_length_is_truncated(load, serve):
    batch = load(serve(then_close(head(content_length="1000") + b'{"choices"')), streaming=False)
    assert batch.outcome[0] == Outcome.TRUNCATED


def test_an_error_object_after_content_is_an_error_with_its_code(load, serve):
    broken = event('{"error":{"message":"out of memory","type":"server_error","code":500}}')
    batch = load(serve(answering(stream([ROLE, token("a"), broken, DONE]))))
    error = only_error(batch)
    assert (batch.outcome[0], error.type, error.code) == (Outcome.ERROR, "stream", 500)
    assert error.message == "the server sent an error: out of memory"
    assert batch.content_count()[0] == 1


def test_a_server_that_says_why_it_hangs_up_is_believed(load, serve):
    broken = event('{"error":{"message":"out of memory","code":500}}')
    batch = load(serve(then_close(STREAM_HEAD + chunk(token("a")) + chunk(broken))))
    assert (batch.outcome[0], only_error(batch).type, only_error(batch).code) == (
        Outcome.ERROR,
        "stream",
        500,
    )


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        ("400 Bad Request", b'{"error":{"message":"no such model"}}', "HTTP 400: no such model"),
        ("404 Not Found", b'{"detail":"Not Found"}', "HTTP 404: Not Found"),
        ("422 Unprocessable", b'{"detail":[{"loc":["body"]}]}', 'HTTP 422: {"detail":[{"loc":["body"]}]}'),
        ("429 Too Many Requests", b'{"error":"slow down"}', "HTTP 429: slow down"),
        ("500 Oops", b"<html>bang</html>", "HTTP 500: <html>bang</html>"),
        ("503 Unavailable", b"", "HTTP 503 with an empty body"),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
def test_an_http_error_carries_the_servers_words(load, serve, status, body, message, streaming):
    batch = load(serve(answering(whole(body, status))), requests=2, streaming=streaming)
    assert batch.outcome.tolist() == [Outcome.ERROR] * 2
    assert (batch.errors[0].type, batch.errors[0].code) == ("http", int(status[:3]))
    assert batch.errors[0].message == message
    assert batch.errors[0].count == 2
    assert (batch.t_hdr >= batch.t_sent).all()
    assert (batch.t_end >= batch.t_hdr).all()


def test_a_long_error_body_is_cut(load, serve):
    batch = load(serve(answering(whole(b"no " * 100_000, "500 Oops"))))
    assert 3000 < len(only_error(batch).message) <= 4096


def test_html_in_place_of_a_stream_is_shown(load, serve):
    batch = load(serve(answering(whole(b"<html>Sign in</html>", content_type="text/html"))))
    error = only_error(batch)
    assert error.type == "stream"
    assert "text/html" in error.message
    assert "<html>Sign in</html>" in error.message


def test_html_in_place_of_json_is_shown(load, serve):
    batch = load(serve(answering(whole(b"<html>Sign in</html>"))), streaming=False)
    error = only_error(batch)
    assert error.type == "json"
    assert "<html>Sign in</html>" in error.message


def test_an_error_object_with_status_200_is_told_by_its_message(load, serve):
    batch = load(serve(answering(whole(b'{"error":{"message":"model is loading"}}'))))
    assert "model is loading" in only_error(batch).message


def test_an_empty_answer_is_an_error(load, serve):
    batch = load(serve(answering(stream([]))))
    assert "empty" in only_error(batch).message


def test_bad_json_names_the_message_and_shows_it(load, serve):
    batch = load(serve(answering(stream([ROLE, token("a"), event('{"choices":[{'), DONE]))))
    error = only_error(batch)
    assert error.type == "json"
    assert error.message.startswith("message 3 is not JSON")
    assert '{"choices":[{' in error.message
    assert batch.content_count()[0] == 1


def test_messages_whose_json_would_only_be_valid_joined_are_bad_json(load, serve):
    batch = load(serve(answering(stream([event("[1"), event("2]"), DONE]))))
    assert only_error(batch).type == "json"


@pytest.mark.parametrize("odd", ["3", '"x"', "[]", '{"choices":[3]}', '{"choices":{"a":1}}'])
def test_json_of_another_shape_is_an_error_and_no_crash(load, serve, odd):
    batch = load(serve(answering(stream([token("a"), event(odd), DONE]))), requests=2)
    assert batch.outcome.tolist() == [Outcome.ERROR] * 2
    assert batch.errors[0].message.startswith(
        "the server sent an error: message 2 is not a chat completion chunk"
    )


def test_bytes_that_are_not_utf8_are_replaced_as_event_streams_have_it(load, serve):
    batch = load(
        serve(answering(stream([token("a").replace(b'"a"', b'"\xff\xfe"'), token("b", '"stop"'), DONE])))
    )
    assert (batch.outcome[0], batch.content_count()[0]) == (Outcome.OK, 2)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_its_location_named(load, serve, status):
    server = serve(
        answering(head(f"{status} Moved", location="http://elsewhere.test/v2", content_length="0"))
    )
    batch = load(server)
    error = only_error(batch)
    assert (error.type, error.code) == ("http", status)
    assert "http://elsewhere.test/v2" in error.message
    assert server.connections == 1


def test_a_compressed_answer_is_an_error_that_says_so(load, serve):
    body = gzip.compress(b"".join(STORY))
    batch = load(serve(answering(whole(body, content_type="text/event-stream", content_encoding="gzip"))))
    error = only_error(batch)
    assert error.type == "encoding"
    assert "gzip" in error.message


def test_bytes_that_are_not_http_are_shown(load, serve):
    batch = load(serve(answering(b"SSH-2.0-OpenSSH_9.6\r\n")))
    error = only_error(batch)
    assert error.type == "protocol"
    assert "SSH-2.0" in error.message


def test_a_broken_chunk_size_is_a_protocol_error_after_the_content_before_it(load, serve):
    batch = load(serve(answering(STREAM_HEAD + chunk(token("a")) + b"zz\r\n")))
    assert only_error(batch).type == "protocol"
    assert batch.content_count()[0] == 1


def test_switching_protocols_is_refused(load, serve):
    batch = load(serve(answering(head("101 Switching", upgrade="h2c", connection="upgrade") + b"xx")))
    assert only_error(batch).type == "protocol"


def test_an_endless_head_is_cut_off(load, serve):
    def script(wire):
        wire.request()
        wire.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            wire.send(b"x-more: " + b"y" * 1000 + b"\r\n")

    batch = load(serve(script), head_limit_bytes=20_000)
    error = only_error(batch)
    assert error.type == "limit"
    assert "20000 bytes" in error.message


def test_an_endless_body_is_cut_off(load, serve):
    def script(wire):
        wire.request()
        wire.send(STREAM_HEAD)
        while True:
            wire.send(chunk(token("a" * 1000)))

    batch = load(serve(script), body_limit_bytes=50_000)
    assert only_error(batch).type == "limit"
    assert batch.content_count()[0] > 0


def test_a_message_over_its_limit_is_an_error(load, serve):
    batch = load(serve(answering(stream([token("a" * 2000, '"stop"'), DONE]))), message_limit_bytes=1000)
    assert only_error(batch).type == "limit"


def test_many_messages_that_are_long_together_are_within_the_limit(load, serve):
    batch = load(serve(answering(stream([token("a" * 500)] * 9 + STORY))), message_limit_bytes=1000)
    assert batch.outcome[0] == Outcome.OK


def test_a_stall_before_the_head_times_out(load, serve):
    def script(wire):
        wire.request()
        wire.hold()

    batch = load(serve(script), **SHORT)
    error = only_error(batch)
    assert (error.type, "no byte of the answer" in error.message) == ("timeout", True)
    assert 0.2e9 <= batch.t_end[0] - batch.t0[0] < 2e9


def test_a_stall_in_the_middle_times_out_and_keeps_the_content(load, serve):
    """G6."""

    def script(wire):
        wire.request()
        wire.send(STREAM_HEAD + chunk(token("a")))
        wire.hold()

    batch = load(serve(script), **SHORT)
    error = only_error(batch)
    assert (error.type, "after its beginning" in error.message) == ("timeout", True)
    assert batch.content_count()[0] == 1


def test_an_answer_that_trickles_is_ended_by_the_total_timeout_only(load, serve):
    def script(wire):
        wire.request()
        wire.send(STREAM_HEAD)
        while True:
            time.sleep(0.02)
            wire.send(chunk(token("a")))

    batch = load(serve(script), stall_timeout_s=0.4, request_timeout_s=0.8)
    error = only_error(batch)
    assert (error.type, "not complete within 0.8 s" in error.message) == ("timeout", True)
    assert batch.content_count()[0] > 5


def test_a_timeout_of_one_slot_leaves_the_others_alone(load, serve):
    def script(wire):
        while (request := wire.request()) is not None:
            if request_number(request.headers["x-request-id"]) == 0:
                wire.hold()
            wire.send(stream(STORY))

    batch = load(serve(script), requests=20, concurrency=2, **SHORT)
    assert np.bincount(batch.outcome, minlength=2)[:2].tolist() == [19, 1]
    assert batch.request_index[batch.outcome == Outcome.ERROR].tolist() == [0]


def test_equal_failures_are_one_group_whatever_their_ids_and_numbers(load, serve):
    """G5."""

    def script(wire):
        while (request := wire.request()) is not None:
            n = request_number(request.headers["x-request-id"])
            text = f"request 7f3a{n:08x}-1111-4222-8333-444444444444 took {n} ms"
            wire.send(whole(f'{{"error":{{"message":"{text}"}}}}'.encode(), "500 Oops"))

    # the id is not a uuid by accident: it has four digits too many
    batch = load(serve(script), requests=12, concurrency=3)
    assert [(g.count, g.code) for g in batch.errors] == [(12, 500)]
    assert (batch.error == 0).all()


def test_different_failures_are_different_groups(load, serve):
    def script(wire):
        while (request := wire.request()) is not None:
            even = request_number(request.headers["x-request-id"]) % 2 == 0
            wire.send(whole(b"even" if even else b"odd", "500 Oops"))

    batch = load(serve(script), requests=10)
    assert {(g.message, g.count) for g in batch.errors} == {("HTTP 500: even", 5), ("HTTP 500: odd", 5)}
    named = [batch.errors[e].message for e in batch.error]
    assert named == [f"HTTP 500: {'even' if i % 2 == 0 else 'odd'}" for i in batch.request_index]


def test_a_server_that_words_every_failure_differently_fills_a_bounded_list(load, serve):
    def script(wire):
        while (request := wire.request()) is not None:
            n = request_number(request.headers["x-request-id"])
            word = "".join(chr(97 + n // 26**k % 26) for k in range(3))
            wire.send(whole(word.encode(), "500 Oops"))

    batch = load(serve(script), requests=300)
    assert len(batch.errors) == 257
    assert sum(g.count for g in batch.errors) == 300


@pytest.mark.parametrize("echo", ["{key}", "Bearer {key}", "you sent authorization: Bearer {key}, go away"])
def test_the_api_key_is_sent_and_never_shown(load, serve, monkeypatch, echo):
    """G4."""
    key = "sk-proj-Tr0ub4dor.and-3"
    monkeypatch.setenv("AIPERF_API_KEY", key)
    server = serve(answering(whole(echo.format(key=key).encode(), "401 Unauthorized")))
    batch = load(server, headers={"x-api-key": "second-secret"})
    assert server.requests[0].headers["authorization"] == f"Bearer {key}"
    assert key not in repr(batch.errors)
    assert "***" in batch.errors[0].message


def test_secret_headers_are_never_shown(load, serve):
    server = serve(answering(whole(b"bad key second-secret", "401 Unauthorized")))
    batch = load(server, headers={"x-api-key": "second-secret"})
    assert batch.errors[0].message == "HTTP 401: bad key ***"


def test_a_failed_answer_with_a_complete_body_keeps_its_connection(load, serve):
    server = serve(answering(whole(b"no", "500 Oops")))
    load(server, requests=10)
    assert server.connections == 1


def test_an_error_body_that_never_ends_is_not_read_for_ever(load, serve):
    def script(wire):
        wire.request()
        wire.send(head("500 Oops", transfer_encoding="chunked") + chunk(b"half"))
        wire.hold()

    batch = load(serve(script), **SHORT)
    assert (batch.status[0], only_error(batch).type) == (500, "timeout")


def test_the_last_chunk_alone_missing_is_truncated(load, serve):
    batch = load(serve(then_close(stream(STORY).removesuffix(LAST_CHUNK))))
    assert batch.outcome[0] == Outcome.TRUNCATED
    assert batch.output_tokens[0] == 3
