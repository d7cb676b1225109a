"""The fault matrix: what a server does wrong has one outcome, class and message, whatever carries the requests."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fault_row import check_rows, only_failure
from scripted_server import (
    BODY,
    DONE,
    LAST_CHUNK,
    ROLE,
    STORY,
    STREAM_HEAD,
    Wire,
    answering,
    chunk,
    event,
    head,
    stream,
    then_close,
    token,
    whole,
)

from pytest_aiperf.common.masking import Masking
from pytest_aiperf.common.records import ABSENT, Outcome, RunFacts
from pytest_aiperf.endpoints.base_endpoint import ResponseFacts
from pytest_aiperf.engine import run as engine_run
from pytest_aiperf.engine.answer import Answer
from pytest_aiperf.engine.recorder import Recorder
from pytest_aiperf.engine.transport import Exchange, Failure

HALF = STREAM_HEAD + chunk(ROLE) + chunk(token("a"))
BROKEN = event('{"error":{"message":"out of memory","type":"server_error","code":500}}')
FACTS = RunFacts(
    start_ns=1_000,
    end_ns=1_000,
    drain_ns=1_000,
    clock_shift_ns=0,
    cpu_share=0.0,
    loop_lag_p99_ns=0,
    timestamps="kernel",
    transport="wire",
    concurrency=1,
    planned=1,
)
NEVER_COMPLETE = {"request_timeout_s": 0.4, "stall_timeout_s": 5.0, "first_byte_timeout_s": 5.0}


def reset_after(data: bytes) -> Callable[[Wire], None]:
    def script(wire: Wire) -> None:
        wire.request()
        if data:
            wire.send(data)
            time.sleep(0.05)  # a RST overtakes what the client has not read yet
        wire.reset()

    return script


def hold_after(data: bytes) -> Callable[[Wire], None]:
    def script(wire: Wire) -> None:
        wire.request()
        wire.send(data)
        wire.hold()

    return script


def trickle(wire: Wire) -> None:
    wire.request()
    wire.send(STREAM_HEAD)
    while True:
        time.sleep(0.02)
        wire.send(chunk(token("a")))


def endless_head(wire: Wire) -> None:
    wire.request()
    wire.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        wire.send(b"x-more: and more\r\n")


def endless_stream(wire: Wire) -> None:
    wire.request()
    wire.send(STREAM_HEAD)
    while True:
        wire.send(chunk(token("a") * 100))


def endless_line(wire: Wire) -> None:
    wire.request()
    wire.send(STREAM_HEAD + chunk(token("a")) + chunk(b"data: "))
    while True:
        wire.send(chunk(b"x" * 5000))


@dataclass(frozen=True, kw_only=True)
class Fault:
    id: str
    script: Callable[[Wire], None]
    plan: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome = Outcome.ERROR
    type: str
    code: int | None = None
    message: str
    """The whole of it, as a regular expression."""
    status: int = 200
    contents: int | None = 0
    """None: any number but 0."""


FAULTS = [
    Fault(
        id="closed-before-the-head",
        script=then_close(b""),
        type="reset",
        message=r"the server closed the connection before the head of its answer was complete \(servers that .*\)",
        status=ABSENT,
    ),
    Fault(
        id="reset-before-the-head",
        script=reset_after(b""),
        type="reset",
        message=r"the server reset the connection before the head of its answer was complete \(servers that .*\)",
        status=ABSENT,
    ),
    Fault(
        id="reset-in-the-head",
        script=reset_after(b"HTTP/1.1 200 OK\r\ncontent-"),
        type="reset",
        message="the server reset the connection before the head of its answer was complete",
        status=ABSENT,
    ),
    Fault(
        id="reset-in-the-middle",
        script=reset_after(HALF),
        type="reset",
        message="the server reset the connection in the middle of its answer",
        contents=1,
    ),
    Fault(
        id="silent-before-the-first-byte",
        script=hold_after(b""),
        plan={"first_byte_timeout_s": 0.2},
        type="timeout",
        message="no byte of the answer within 0.2 s after the request",
        status=ABSENT,
    ),
    Fault(
        id="silent-between-messages",
        script=hold_after(HALF),
        plan={"stall_timeout_s": 0.2},
        type="timeout",
        message="the answer stalled for 0.2 s after its beginning",
        contents=1,
    ),
    Fault(
        id="a-stream-that-never-ends-meets-the-total-timeout",
        script=trickle,
        plan=NEVER_COMPLETE,
        type="timeout",
        message="the answer was not complete within 0.4 s",
        contents=None,
    ),
    Fault(
        id="truncated-in-a-chunk",
        script=then_close(HALF + chunk(token("b"))[:20]),
        outcome=Outcome.TRUNCATED,
        type="truncated",
        message="the server closed the connection in the middle of its answer",
        contents=1,
    ),
    Fault(
        id="truncated-before-the-last-chunk",
        script=then_close(stream(STORY).removesuffix(LAST_CHUNK)),
        outcome=Outcome.TRUNCATED,
        type="truncated",
        message="the server closed the connection in the middle of its answer",
        contents=3,
    ),
    Fault(
        id="truncated-without-finish",
        script=answering(stream([ROLE, token("a"), token("b")])),
        outcome=Outcome.TRUNCATED,
        type="truncated",
        message=r"the stream ended without finish_reason and without \[DONE\]",
        contents=2,
    ),
    Fault(
        id="truncated-below-its-content-length",
        script=then_close(head(content_type="text/event-stream", content_length="1000") + token("a")),
        outcome=Outcome.TRUNCATED,
        type="truncated",
        message="the server closed the connection in the middle of its answer",
        contents=1,
    ),
    Fault(
        id="error-object-first",
        script=answering(stream([BROKEN, DONE])),
        type="stream",
        code=500,
        message="the server sent an error: out of memory",
    ),
    Fault(
        id="error-object-after-content",
        script=answering(stream([ROLE, token("a"), BROKEN, DONE])),
        type="stream",
        code=500,
        message="the server sent an error: out of memory",
        contents=1,
    ),
    Fault(
        id="error-object-then-hang-up",
        script=then_close(HALF + chunk(BROKEN)),
        type="stream",
        code=500,
        message="the server sent an error: out of memory",
        contents=1,
    ),
    Fault(
        id="4xx",
        script=answering(whole(b'{"error":{"message":"no such model"}}', "404 Not Found")),
        type="http",
        code=404,
        message="HTTP 404: no such model",
        status=404,
    ),
    Fault(
        id="5xx",
        script=answering(whole(b"", "503 Unavailable")),
        type="http",
        code=503,
        message="HTTP 503 with an empty body",
        status=503,
    ),
    Fault(
        id="4xx-as-a-stream-that-stops",
        script=hold_after(head("400 Bad Request", transfer_encoding="chunked") + chunk(b"half")),
        plan={"stall_timeout_s": 0.2},
        type="timeout",
        message="the answer stalled for 0.2 s after its beginning",
        status=400,
    ),
    Fault(
        id="invalid-json",
        script=answering(stream([ROLE, token("a"), event('{"choices":[{'), DONE])),
        type="json",
        message=r"message 3 is not JSON \(.*\): '\{\"choices\":\[\{'",
        contents=1,
    ),
    Fault(
        id="json-of-another-shape",
        script=answering(stream([token("a"), event("[]"), DONE])),
        type="stream",
        message="the server sent an error: message 2 is not a chat completion chunk.*",
        contents=None,
    ),
    Fault(
        id="invalid-utf8-that-breaks-the-json",
        script=answering(stream([token("a"), b'data: {"choices"\xff\n\n', DONE])),
        type="json",
        message=r"message 2 is not JSON \(.*",
        contents=1,
    ),
    Fault(
        id="html-in-place-of-a-stream",
        script=answering(whole(b"<html>Sign in</html>", content_type="text/html")),
        type="stream",
        message=r"the answer is not an event stream \(text/html\): <html>Sign in</html>",
    ),
    Fault(
        id="an-empty-stream",
        script=answering(stream([])),
        type="stream",
        message="the answer is empty, and an event stream was asked for",
    ),
    Fault(
        id="no-http-at-all",
        script=then_close(b"SSH-2.0-OpenSSH_9.6\r\n"),
        type="protocol",
        message="not an HTTP answer: .*SSH-2.0.*",
        status=ABSENT,
    ),
    Fault(
        id="gzip",
        script=answering(whole(gzip.compress(b"".join(STORY)), content_encoding="gzip")),
        type="encoding",
        message=r"the answer is compressed \(gzip\), and only identity was asked for.*",
    ),
    Fault(
        id="br",
        script=answering(whole(b"\x0b\x02\x80hello\x03", content_encoding="br")),
        type="encoding",
        message=r"the answer is compressed \(br\), and only identity was asked for.*",
    ),
    Fault(
        id="redirect",
        script=answering(head("307 Moved", location="http://elsewhere.test/v2", content_length="0")),
        type="http",
        code=307,
        message="HTTP 307: redirected to http://elsewhere.test/v2; redirects are not followed, .*",
        status=307,
    ),
    Fault(
        id="another-protocol",
        script=answering(head("101 Switching Protocols", upgrade="websocket", connection="upgrade")),
        type="protocol",
        message=r"the server switched to another protocol \(101\), which was not asked for",
        status=ABSENT,
    ),
    Fault(
        id="a-head-that-never-ends",
        script=endless_head,
        type="limit",
        message="the head of the answer is longer than 65536 bytes",
        status=ABSENT,
    ),
    Fault(
        id="a-line-that-never-ends",
        script=endless_line,
        plan={"message_limit_bytes": 100_000},
        type="limit",
        message="a message of the stream is longer than 100000 bytes",
        contents=1,
    ),
    Fault(
        id="a-stream-that-never-ends-meets-the-body-limit",
        script=endless_stream,
        plan={"body_limit_bytes": 200_000},
        type="limit",
        message="the body of the answer is longer than 200000 bytes",
        contents=None,
    ),
]


@pytest.mark.parametrize("fault", [pytest.param(f, id=f.id) for f in FAULTS])
def test_a_fault_has_its_outcome_and_its_message(load_over, serve, fault):
    slots = 2 if fault.plan else 1  # those with limits take a while
    batch = load_over(serve(fault.script), requests=2, concurrency=slots, **fault.plan)
    check_rows(batch, 2)
    outcome, kind, code, message = only_failure(batch)
    assert (outcome, kind, code) == (fault.outcome, fault.type, fault.code)
    assert re.fullmatch(fault.message, message, re.DOTALL), message
    assert batch.status.tolist() == [fault.status] * 2
    assert ((batch.t_sent != ABSENT) & (batch.t_end > batch.t0)).all()
    if fault.contents is None:
        assert (batch.content_count() > 0).all()
    else:
        assert batch.content_count().tolist() == [fault.contents] * 2


def test_an_answer_that_overtakes_the_return_of_the_send_leaves_stamps_in_order():
    """On loopback the kernel may stamp what comes back before the call returns that sent the request."""
    exchange = Exchange(0, 0, BODY)
    exchange.t0, exchange.t_sent, exchange.t_end = 1_000, 3_000, 2_000
    exchange.failure = Failure("protocol", "not an HTTP answer")
    recorder = Recorder(Masking(api_key=None, headers={}))
    recorder.add(
        exchange, Answer(Outcome.ERROR, exchange.failure, (), 0, 0, ResponseFacts(content=(), finished=False))
    )
    batch = recorder.finish(FACTS)
    assert (batch.t0[0], batch.t_sent[0], batch.t_hdr[0], batch.t_end[0]) == (0, 1_000, ABSENT, 1_000)


def test_what_is_said_after_too_many_requests_is_counted_and_not_tried_again(load_over, serve):
    server = serve(answering(whole(b'{"error":"slow down"}', "429 Too Many Requests", Retry_After="1")))
    batch = load_over(server, requests=5, concurrency=2)
    check_rows(batch, 5)
    assert only_failure(batch) == (Outcome.ERROR, "http", 429, "HTTP 429: slow down")
    assert len(server.requests) == 5
    assert batch.facts.end_ns < 1e9 * 5


def test_a_fault_of_one_request_is_not_another_ones(load_over, serve):
    def script(wire):
        while wire.request() is not None:
            if len(wire.requests) % 3 == 0:
                wire.send(HALF)
                return
            wire.send(stream(STORY))

    batch = load_over(serve(script), requests=12)
    check_rows(batch, 12)
    assert [i % 3 == 2 for i in range(12)] == (batch.outcome == Outcome.TRUNCATED).tolist()


@pytest.mark.parametrize("streaming", [True, False])
def test_invalid_utf8_within_a_string_is_replaced_in_a_stream_and_an_error_in_a_body(
    load_over, serve, streaming
):
    odd = b'{"choices":[{"index":0,"%b":{"content":"\xff\xfe"},"finish_reason":"stop"}]}'
    answer = stream([b"data: " + odd % b"delta" + b"\n\n", DONE]) if streaming else whole(odd % b"message")
    batch = load_over(serve(answering(answer)), streaming=streaming)
    check_rows(batch, 1)
    assert batch.outcome[0] == (Outcome.OK if streaming else Outcome.ERROR)
    assert [group.type for group in batch.errors] == ([] if streaming else ["json"])


@pytest.mark.parametrize("interim", ["100 Continue", "103 Early Hints"])
def test_an_interim_answer_is_not_the_answer(load_over, serve, interim):
    early = head(interim, link="</x>; rel=preload")
    batch = load_over(serve(answering(early + early + stream(STORY))), requests=3)
    check_rows(batch, 3)
    assert batch.outcome.tolist() == [Outcome.OK] * 3
    assert batch.status.tolist() == [200] * 3


def test_the_head_comes_after_the_interim_answer(load_over, serve):
    def script(wire):
        wire.request()
        wire.send(head("103 Early Hints"))
        time.sleep(0.05)  # apart on the wire: the subject of the test
        wire.send(stream(STORY))

    batch = load_over(serve(script))
    assert batch.t_hdr[0] - batch.t0[0] >= 50_000_000


def test_a_clock_that_was_stepped_is_told(load_over, serve, monkeypatch):
    """A fake: nobody steps this machine's clock, the second reading of its offset is shifted instead."""
    readings = iter([1_000_000_000, 1_250_000_000])
    monkeypatch.setattr(engine_run, "realtime_offset_ns", lambda: next(readings))
    batch = load_over(serve(answering(stream(STORY))))
    assert batch.facts.clock_shift_ns == 250_000_000
