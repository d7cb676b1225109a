"""How a run begins and ends, on real sockets: common start, duration, grace, progress, and what the facts say."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest
from scripted_server import BODY, DONE, LAST_CHUNK, ROLE, STORY, STREAM_HEAD, answering, chunk, stream, token

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.engine import LoadPlan, run_load
from pytest_aiperf.engine import loop as engine_loop
from pytest_aiperf.engine.alarm import LoopAlarm, new_alarm
from pytest_aiperf.engine.arrivals import arrival_times_ns
from pytest_aiperf.engine.cancellation import cancel_delays_ns

MS = 1_000_000


def after_a_first_token(hold):
    """A script: every answer begins at once, and `hold` decides how it goes on."""

    def script(wire):
        while wire.request() is not None:
            wire.send(STREAM_HEAD + chunk(ROLE) + chunk(token("a")))
            hold(wire)
            wire.send(chunk(token("b", '"stop"')) + chunk(DONE) + LAST_CHUNK)

    return script


def due(rate, **given):
    return arrival_times_ns("constant", rate=rate, seed=0, **given)


# Open loop.


def test_an_open_loop_sends_each_request_when_it_is_due_and_never_before(load, serve):
    due_ns = due(400, count=100)
    batch = load(serve(answering(stream(STORY))), requests=100, concurrency=None, due_ns=due_ns)
    rows = np.argsort(batch.request_index)
    assert (batch.outcome == Outcome.OK).all()
    assert np.array_equal(batch.t_plan[rows], due_ns)
    assert (batch.t0 >= batch.t_plan).all()
    assert batch.facts.open_loop
    assert batch.facts.concurrency is None
    assert batch.facts.planned == 100
    assert due_ns[-1] <= batch.facts.drain_ns <= batch.facts.end_ns


def test_a_server_that_is_too_slow_gets_its_requests_late_and_all_of_them(load, serve):
    script = after_a_first_token(lambda wire: time.sleep(0.02))
    batch = load(serve(script), requests=20, concurrency=2, due_ns=due(400, count=20))
    lag = (batch.t0 - batch.t_plan)[np.argsort(batch.request_index)]
    assert len(batch) == 20
    assert lag[-1] > 100 * MS  # 20 requests of 20 ms by two slots take 200 ms, and were due within 50


@pytest.mark.parametrize("make_alarm", [new_alarm, LoopAlarm])
@pytest.mark.parametrize("run", [asyncio.run, engine_loop.run])
def test_an_alarm_rings_once_for_each_time_that_it_is_set_and_never_early(run, make_alarm):
    async def main():
        rings: list[int] = []
        rang = asyncio.Event()
        alarm = make_alarm(asyncio.get_running_loop(), lambda: (rings.append(time.time_ns()), rang.set()))
        begun_ns = time.time_ns()
        for wanted_ns in (begun_ns - MS, begun_ns + 5 * MS, begun_ns + 6 * MS + 1):
            alarm.set(time.time_ns() + 60_000 * MS)  # replaced
            alarm.set(wanted_ns)
            await asyncio.wait_for(rang.wait(), 5)
            rang.clear()
            assert rings[-1] >= wanted_ns - MS * (make_alarm is LoopAlarm)
        alarm.set(time.time_ns() + 2 * MS)
        alarm.set(None)
        await asyncio.sleep(0.02)
        alarm.close()
        return len(rings)

    assert run(main()) == 3


# Cancellation and prefill.


def test_cancelled_requests_keep_their_stamps_and_are_no_errors(load, serve):
    script = after_a_first_token(lambda wire: wire.hold())
    cancel_after_ns = cancel_delays_ns(4, share=1, delay_s=0.05, seed=0)
    batch = load(serve(script), requests=4, concurrency=4, cancel_after_ns=cancel_after_ns)
    assert (batch.outcome == Outcome.CANCELLED).all()
    assert (batch.content_count() == 1).all()
    assert (batch.t_end - batch.t_sent >= 50 * MS).all()
    assert (batch.t_hdr != ABSENT).all()
    assert batch.facts.cut_short is None


def test_the_rest_of_the_run_goes_on_beside_cancelled_requests(load, serve):
    def script(wire):
        while (request := wire.request()) is not None:
            if request.body == b"hold":
                wire.hold()
            wire.send(stream(STORY))

    bodies = [b"hold" if i % 3 == 0 else BODY for i in range(12)]
    cancel_after_ns = np.array([10 * MS if i % 3 == 0 else -1 for i in range(12)])
    batch = load(serve(script), bodies=bodies, concurrency=2, cancel_after_ns=cancel_after_ns)
    cancelled = np.sort(batch.request_index[batch.outcome == Outcome.CANCELLED])
    assert cancelled.tolist() == [0, 3, 6, 9]
    assert np.count_nonzero(batch.outcome == Outcome.OK) == 8


def test_the_next_request_waits_for_the_first_content_of_the_last_but_not_for_its_end(load, serve):
    lock = threading.Lock()
    begun: list[float] = []
    enough = threading.Event()

    def hold(wire):
        with lock:
            begun.append(time.monotonic())
            if len(begun) == 3:
                enough.set()
        enough.wait(10)  # no answer ends before all three have begun

    batch = load(serve(after_a_first_token(hold)), requests=3, concurrency=3, prefill_concurrency=1)
    rows = np.argsort(batch.request_index)
    assert (batch.outcome == Outcome.OK).all()
    assert (batch.t0[rows][1:] >= batch.content_at(0)[rows][:-1]).all()


# The end.


def test_a_duration_ends_a_closed_loop_and_what_was_in_flight_counts(load, serve):
    script = after_a_first_token(lambda wire: time.sleep(0.01))
    batch = load(serve(script), requests=3, concurrency=2, duration_s=0.3)
    assert (batch.outcome == Outcome.OK).all()
    assert len(batch) > 6
    assert sorted(batch.request_index.tolist()) == list(range(len(batch)))
    assert batch.facts.planned is None
    assert batch.facts.cut_short is None
    assert batch.t0.max() <= batch.facts.drain_ns <= batch.facts.end_ns
    assert batch.facts.drain_ns >= 300 * MS


def test_a_duration_that_is_over_before_the_count_is_full_decided_it(load, serve):
    script = after_a_first_token(lambda wire: time.sleep(0.01))
    facts = load(serve(script), requests=3, duration_s=0.1, count=100_000).facts
    assert (facts.planned, facts.cut_short) == (None, None)


@pytest.mark.parametrize("fields", [{}, {"prefill_concurrency": 2}, {"due_ns": np.array([0, 0])}])
def test_what_outlasts_the_grace_period_is_cancelled_and_the_run_is_not_cut_short(load, serve, fields):
    server = serve(after_a_first_token(lambda wire: wire.hold()))
    batch = load(server, requests=2, concurrency=2, duration_s=0.1, grace_period_s=0.2, **fields)
    assert (batch.outcome == Outcome.CANCELLED).all()
    assert len(batch) == 2
    assert batch.facts.cut_short is None
    assert (batch.t_end >= 300 * MS).all()


def test_a_grace_period_of_0_cancels_at_once(load, serve):
    server = serve(after_a_first_token(lambda wire: wire.hold()))
    batch = load(server, requests=1, duration_s=0.1, grace_period_s=0.0)
    assert (batch.outcome == Outcome.CANCELLED).all()
    assert (batch.t_end < 20_000 * MS).all()  # and not after the 30 s that are the default


def test_an_open_loop_that_waits_for_its_next_request_can_be_aborted(serve):
    server = serve(answering(stream(STORY)))
    plan = LoadPlan(url=server.url, bodies=[BODY] * 2, due_ns=np.array([0, 3600_000 * MS]))

    async def main():
        abort = asyncio.Event()
        asyncio.get_running_loop().call_later(0.2, abort.set)
        return await asyncio.wait_for(run_load(plan, abort=abort), 10)

    batch = asyncio.run(main())
    assert batch.request_index.tolist() == [0]
    assert batch.facts.cut_short == "aborted; 1 of 2 requests had been sent"


def test_progress_of_a_run_without_a_count_says_so(load, serve):
    reports = []
    script = after_a_first_token(lambda wire: time.sleep(0.01))
    load(serve(script), requests=1, duration_s=0.6, on_progress=reports.append)
    assert len(reports) >= 2
    assert {report.planned for report in reports} == {None}
    ended = [report.ended for report in reports]
    assert ended == sorted(ended)
    assert reports[-1].ended == reports[-1].sent > 0


def test_progress_of_an_open_loop_knows_its_requests(load, serve):
    reports = []
    due_ns = due(20, duration_s=0.6)
    load(
        serve(answering(stream(STORY))),
        requests=len(due_ns),
        concurrency=None,
        due_ns=due_ns,
        duration_s=0.6,
        on_progress=reports.append,
    )
    assert {report.planned for report in reports} == {12}
    assert reports[-1].ended == 12


# The start.


def test_a_run_starts_at_the_common_moment_and_counts_from_it(load, serve):
    server = serve(answering(stream(STORY)))
    start_at_ns = time.time_ns() + 300 * MS
    batch = load(server, requests=4, concurrency=2, start_at_ns=start_at_ns)
    assert batch.facts.start_ns == start_at_ns
    assert (batch.t0 >= 0).all()
    assert batch.facts.late_start_ns >= 0
    assert batch.facts.late_start_ns <= batch.t0.min()


def test_a_start_that_is_past_is_a_late_one(load, serve):
    start_at_ns = time.time_ns() - 500 * MS
    batch = load(serve(answering(stream(STORY))), requests=2, start_at_ns=start_at_ns)
    assert batch.facts.late_start_ns >= 500 * MS
    assert batch.t0.min() >= 500 * MS


def test_connections_are_open_before_the_common_start(serve):
    server = serve(answering(stream(STORY)))
    start_at_ns = time.time_ns() + 400 * MS
    plan = LoadPlan(url=server.url, bodies=[BODY] * 6, concurrency=3, start_at_ns=start_at_ns)
    batch = asyncio.run(run_load(plan))
    assert (batch.connecting_ns == 0).all()


def test_an_abort_before_the_common_start_sends_nothing(serve):
    server = serve(answering(stream(STORY)))
    plan = LoadPlan(url=server.url, bodies=[BODY], concurrency=1, start_at_ns=time.time_ns() + 60_000 * MS)

    async def main():
        abort = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, abort.set)
        return await asyncio.wait_for(run_load(plan, abort=abort), 10)

    batch = asyncio.run(main())
    assert len(batch) == 0
    assert not server.requests


def test_a_start_that_is_out_of_reach_is_refused(load, serve):
    with pytest.raises(ConfigurationError, match=r"the start lies 7\d\d\d s ahead"):
        load(serve(answering(stream(STORY))), start_at_ns=time.time_ns() + 7_200_000 * MS)


def test_the_facts_name_what_the_plan_asked_for(load, serve):
    facts = load(serve(answering(stream(STORY))), requests=3, concurrency=2, insecure=True).facts
    assert (facts.planned, facts.concurrency, facts.open_loop) == (3, 2, False)
    assert (facts.connection_reuse, facts.insecure, facts.proxy) == ("pooled", True, None)
    assert facts.late_start_ns == 0
