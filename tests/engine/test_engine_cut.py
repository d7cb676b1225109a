"""Runs that end before their plan: aborted, out of time, cancelled, or broken from within."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest
from scripted_server import BODY, LAST_CHUNK, STORY, STREAM_HEAD, answering, chunk, stream, then_close, token

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine import LoadPlan, run_load


def half_then_hold(wire):
    wire.request()
    wire.send(STREAM_HEAD + chunk(token("a")))
    wire.hold()


def plan_for(server, requests=1, concurrency=1, **fields):
    return LoadPlan(url=server.url, bodies=[BODY] * requests, concurrency=concurrency, **fields)


def test_an_abort_ends_the_run_within_a_second_and_records_what_was_in_flight(serve):
    server = serve(half_then_hold)

    async def main():
        abort = asyncio.Event()
        load = asyncio.create_task(run_load(plan_for(server, 100, 8), abort=abort))
        while len(server.requests) < 8:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        began = time.monotonic()
        abort.set()
        return await load, time.monotonic() - began

    batch, took_s = asyncio.run(main())
    assert took_s < 1
    assert sorted(batch.request_index.tolist()) == list(range(8))
    assert (batch.outcome == Outcome.CANCELLED).all()
    assert (batch.content_count() == 1).all()
    assert (batch.t_end >= batch.content_at(0)).all()
    assert batch.facts.planned == 100
    assert batch.facts.cut_short == "aborted; 8 of 100 requests had been sent"


def test_an_abort_before_any_answer_leaves_finite_stamps(serve):
    server = serve(lambda wire: (wire.request(), wire.hold()))

    async def main():
        abort = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, abort.set)
        return await run_load(plan_for(server, 2, 2), abort=abort)

    batch = asyncio.run(main())
    assert (batch.outcome == Outcome.CANCELLED).all()
    assert (batch.t_end > batch.t0).all()


def test_an_abort_while_connections_are_opened_ends_the_run_with_no_rows(serve, monkeypatch):
    async def never(addresses, timeout_s):
        await asyncio.sleep(60)

    monkeypatch.setattr("pytest_aiperf.engine.wire.first_to_accept", never)

    async def main():
        abort = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, abort.set)
        return await asyncio.wait_for(run_load(plan_for(server, 5, 2), abort=abort), 5)

    server = serve(answering(stream(STORY)))
    batch = asyncio.run(main())
    assert len(batch) == 0
    assert batch.content_count().tolist() == []
    assert batch.facts.cut_short == "aborted; 0 of 5 requests had been sent"
    assert not server.requests


def test_the_longest_duration_cuts_the_run_and_says_so(load, serve):
    batch = load(serve(half_then_hold), requests=10, concurrency=2, max_duration_s=0.3)
    assert len(batch) == 2
    assert (batch.outcome == Outcome.CANCELLED).all()
    assert batch.facts.cut_short == "it reached its longest duration of 0.3 s; 2 of 10 requests had been sent"
    assert 0.3e9 <= batch.facts.end_ns < 1.5e9


def test_a_run_that_is_not_cut_says_nothing(load, serve):
    assert load(serve(answering(stream(STORY)))).facts.cut_short is None


def test_a_cancelled_run_load_closes_its_connections_and_stays_cancelled(serve):
    closed = threading.Event()

    def script(wire):
        wire.request()
        wire.request()  # returns when the client closes
        closed.set()

    async def main():
        load = asyncio.create_task(run_load(plan_for(server)))
        while not server.requests:
            await asyncio.sleep(0.005)
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load

    server = serve(script)
    asyncio.run(main())
    assert closed.wait(5)


def test_an_endpoint_class_that_crashes_ends_the_run_with_its_exception(load, serve, monkeypatch):
    def crash(self, messages, *, done):
        raise RuntimeError("a bug in a plugin")

    monkeypatch.setattr(ChatEndpoint, "read_stream", crash)
    with pytest.raises(RuntimeError, match="a bug in a plugin"):
        load(serve(answering(stream(STORY))), requests=5)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(stream(STORY).replace(b"200 OK", b"200 OK\r\nconnection: close"), id="closing"),
        pytest.param(STREAM_HEAD.replace(b"200", b"500") + LAST_CHUNK, id="failing"),
    ],
)
@pytest.mark.parametrize("script", [answering, then_close])
def test_requests_leave_nothing_that_only_the_collector_could_free(load, serve, script, answer):
    """It is at rest while a run goes on, which may be long."""

    def garbage_of(requests):
        gc.collect()
        load(serve(script(answer)), requests=requests)
        return gc.collect()

    garbage_of(5)
    assert abs(garbage_of(300) - garbage_of(20)) < 100


def test_the_collector_is_at_rest_while_measuring_and_as_before_afterwards(load, serve):
    during = []
    frozen = gc.get_freeze_count()
    load(serve(answering(stream(STORY))), on_progress=lambda _: during.append(gc.isenabled()))
    assert gc.isenabled()
    assert gc.get_freeze_count() <= frozen

    states = []

    def script(wire):
        while wire.request() is not None:
            states.append(gc.isenabled())
            wire.send(stream(STORY))

    load(serve(script))
    assert states == [False]
