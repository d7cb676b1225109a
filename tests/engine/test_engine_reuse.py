"""Which request goes over which connection, and who pays for connecting."""

from __future__ import annotations

import asyncio
import errno
import gc
import threading

import pytest
from driving import driving, until
from scripted_server import BODY, STORY, answering, head, stream, then_close, whole

from pytest_aiperf.common.errors import ConfigurationError, EndpointError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.engine.pool import Pool

CLOSING = whole(b"".join(STORY), content_type="text/event-stream", connection="close")


class Counted:
    """A server's script that tells which connection carried which request, and which connections are over."""

    def __init__(self):
        self.carried = []
        self.over = []
        self.most = 0
        self._open = 0
        self._lock = threading.Lock()

    def __call__(self, wire):
        with self._lock:
            self._open += 1
            self.most = max(self.most, self._open)
        while wire.request() is not None:
            self.carried.append(wire.number)
            wire.send(stream(STORY))
        with self._lock:
            self._open -= 1
        self.over.append(wire.number)


def test_connections_that_were_opened_ahead_cost_no_request_anything(load, serve):
    batch = load(serve(answering(stream(STORY))), requests=10, concurrency=2)
    assert (batch.connecting_ns == 0).all()


def test_a_connection_that_has_to_be_made_in_the_run_is_paid_for_by_its_request(load, serve):
    batch = load(serve(then_close(CLOSING)), requests=6)
    assert batch.connecting_ns[0] == 0
    assert (batch.connecting_ns[1:] > 0).all()
    # connecting is over when the first byte leaves
    assert (batch.t0[1:] - batch.t_end[:-1] >= batch.connecting_ns[1:]).all()


def test_never_makes_a_connection_for_each_request_and_says_so(load, serve):
    counted = Counted()
    server = serve(counted)
    batch = load(server, requests=12, concurrency=3, connection_reuse="never")
    assert (batch.outcome == Outcome.OK).all()
    assert len(set(counted.carried)) == 12
    assert server.connections == 13  # and the one that tried whether anybody is there
    assert (batch.connecting_ns > 0).all()
    assert {r.headers["connection"] for r in server.requests} == {"close"}
    assert batch.facts.reopened == 0


def test_never_leaves_nothing_to_the_garbage_collector(load, serve):
    server = serve(answering(stream(STORY)))
    load(server, requests=2, connection_reuse="never")
    gc.collect()
    gc.disable()
    try:
        load(server, requests=5, connection_reuse="never")
        few = gc.collect()
        load(server, requests=105, connection_reuse="never")
        assert gc.collect() - few < 100
    finally:
        gc.enable()


def test_pooled_says_nothing_of_connections_and_the_header_is_ours(load, serve):
    server = serve(answering(stream(STORY)))
    load(server)
    assert "connection" not in server.requests[0].headers
    with pytest.raises(ConfigurationError, match="'Connection' is set by the load engine"):
        load(server, headers={"Connection": "close"})


def test_sticky_keeps_one_connection_for_each_conversation_until_its_last_turn(serve):
    counted = Counted()

    async def main():
        async with driving(serve(counted), connection_reuse="sticky") as driver:
            turns = []
            for conversation, last in [(7, 0), (9, 0), (7, 0), (9, 1), (7, 1)]:
                turns.append(await driver.request(conversation=conversation, last=bool(last)))
            await until(lambda: len(counted.over) == 3)  # closed by us, with the run still on
            return turns

    turns = asyncio.run(main())
    assert counted.carried == [1, 2, 1, 2, 1]  # 0 was the trial
    assert [turn.connecting_ns > 0 for turn in turns] == [True, True, False, False, False]
    assert [turn.failure for turn in turns] == [None] * 5


def test_sticky_gives_a_conversation_that_is_over_a_new_connection_when_it_begins_again(serve):
    counted = Counted()

    async def main():
        async with driving(serve(counted), connection_reuse="sticky") as driver:
            for _ in range(3):
                await driver.request(conversation=1, last=True)

    asyncio.run(main())
    assert counted.carried == [1, 2, 3]


def test_sticky_gives_requests_without_a_conversation_a_connection_each(serve):
    counted = Counted()

    async def main():
        async with driving(serve(counted), connection_reuse="sticky") as driver:
            for _ in range(3):
                await driver.request()

    asyncio.run(main())
    assert counted.carried == [1, 2, 3]


@pytest.mark.parametrize("noticed", [False, True], ids=["when it sends", "before it sends"])
def test_sticky_reopens_what_the_server_closed_between_two_turns_and_counts_it(serve, noticed):
    def script(wire):
        if wire.request() is not None:
            wire.send(stream(STORY))

    async def main():
        async with driving(serve(script), connection_reuse="sticky") as driver:
            for last in (False, False, True):
                turn = await driver.request(conversation=1, last=last)
                assert turn.failure is None
                if noticed:
                    await until(lambda: not driver.transport._connections)
            return driver.transport.reopened

    assert asyncio.run(main()) == 2


def test_sticky_branches_of_a_conversation_at_the_same_time_have_a_connection_each(serve):
    counted = Counted()

    async def main():
        async with driving(serve(counted), connection_reuse="sticky") as driver:
            both = [driver.send(conversation=1, last=False) for _ in range(2)]
            for exchange in both:
                await driver.end(exchange)
            await driver.request(conversation=1, last=True)
            await until(lambda: len(counted.over) == 3)

    asyncio.run(main())
    assert sorted(counted.carried[:2]) == [1, 2]
    assert counted.carried[2] in (1, 2)


def test_the_last_turn_ends_a_conversations_connections_to_all_targets(serve):
    first, second = Counted(), Counted()

    async def main():
        async with driving(
            serve(first), further_urls=[serve(second).url], connection_reuse="sticky"
        ) as driver:
            for last in (False, False, False, True):
                await driver.request(conversation=1, last=last)
            await until(lambda: len(first.over) == len(second.over) == 2)

    asyncio.run(main())
    assert (first.carried, second.carried) == ([1, 1], [1, 1])


@pytest.mark.parametrize("reuse", ["never", "sticky"])
def test_an_endpoint_that_is_not_there_is_noticed_before_the_run_in_every_mode(load, serve, reuse):
    server = serve(answering(head()))
    server.stop_listening()
    with pytest.raises(EndpointError, match="Connection refused"):
        load(server, connection_reuse=reuse)


# Cancelling and watching.


def holding(wire):
    """Half an answer, and then nothing."""
    while wire.request() is not None:
        wire.send(stream(STORY)[:-30])
        wire.hold()


def test_a_cancelled_exchange_ends_at_once_and_its_connection_with_it(serve):
    hung_up = threading.Event()

    def script(wire):
        wire.request()
        wire.send(stream(STORY)[:-30])
        wire.request()  # None when the client hangs up
        hung_up.set()

    async def main():
        heard = []
        async with driving(serve(script)) as driver:
            exchange = driver.send(watch=heard.append)
            await until(lambda: heard)
            driver.transport.cancel(exchange)
            assert driver.ended == [0]
            await until(hung_up.is_set)
            driver.transport.cancel(exchange)  # it is over: nothing happens
            return driver.ended, exchange

    ended, exchange = asyncio.run(main())
    assert ended == [0]
    assert (exchange.cancelled, exchange.failure.type, exchange.status) == (True, "cancelled", 200)
    assert exchange.parts


def test_cancelling_one_leaves_the_others_alone(serve):
    everybody = threading.Barrier(3, timeout=5)

    def script(wire):
        wire.request()
        everybody.wait()
        wire.send(stream(STORY))
        wire.hold()

    async def main():
        async with driving(serve(script), connections=3) as driver:
            exchanges = [driver.send() for _ in range(3)]
            driver.transport.cancel(exchanges[1])
            for exchange in exchanges:
                await driver.end(exchange)
            return [exchange.cancelled for exchange in exchanges]

    assert asyncio.run(main()) == [False, True, False]


def test_an_exchange_that_still_waits_for_its_connection_can_be_cancelled(serve):
    async def main():
        async with driving(serve(answering(stream(STORY))), connection_reuse="never") as driver:
            exchange = driver.send()
            driver.transport.cancel(exchange)
            await driver.request()
            return exchange, driver.ended

    exchange, ended = asyncio.run(main())
    assert ended == [0, 1]
    assert (exchange.cancelled, exchange.t_sent, exchange.status) == (True, 0, 0)


def test_an_exchange_for_which_there_was_no_socket_ends_once(serve, monkeypatch):
    def none_left(address):
        raise OSError(errno.EMFILE, "Too many open files")

    async def main():
        async with driving(serve(answering(stream(STORY))), connection_reuse="never") as driver:
            monkeypatch.setattr("pytest_aiperf.engine.connection.new_socket", none_left)
            cancelled, left = driver.send(), driver.send()
            driver.transport.cancel(cancelled)
            await driver.end(left)
            return driver.ended, left.failure

    ended, failure = asyncio.run(main())
    assert sorted(ended) == [0, 1]
    assert failure.type == "connect"
    assert "raise the limit (ulimit -n)" in failure.message


def test_everything_can_be_cancelled_at_once(serve):
    async def main():
        async with driving(serve(holding), connections=4) as driver:
            for _ in range(6):
                driver.send()
            driver.transport.cancel_all()
            return driver.ended

    assert sorted(asyncio.run(main())) == list(range(6))


def test_a_watcher_sees_the_body_grow_read_by_read(serve):
    """A read that brings the head only is not told of; the one that ends the answer is."""
    go = [threading.Event() for _ in range(3)]
    events = stream(STORY)
    cuts = [events.index(b"\r\n\r\n") + 4, len(events) // 2, len(events)]

    def script(wire):
        wire.request()
        start = 0
        for cut, event in zip(cuts, go, strict=True):
            event.wait(5)
            wire.send(events[start:cut])
            start = cut
        wire.hold()

    async def main():
        seen = []
        async with driving(serve(script)) as driver:
            go[0].set()
            exchange = driver.send(
                watch=lambda e: seen.append((e.status, len(e.parts), len(e.stamps), len(driver.ended)))
            )
            await until(lambda: driver.transport._connections.copy().pop().reader.t_hdr)
            assert seen == []
            for event in go[1:]:
                before = len(seen)
                event.set()
                await until(lambda before=before: len(seen) > before)
            await driver.end(exchange)
            return seen, exchange

    seen, exchange = asyncio.run(main())
    assert [status for status, *_ in seen] == [200, 200]
    assert seen[0][1] < seen[1][1] == len(exchange.parts)
    assert [parts for _, parts, *_ in seen] == [stamps for *_, stamps, _ in seen]
    assert [ended for *_, ended in seen] == [0, 0]


def test_a_watcher_that_has_seen_enough_is_called_no_more(serve):
    def script(wire):
        wire.request()
        for part in (stream(STORY)[:200], stream(STORY)[200:]):
            wire.send(part)

    async def main():
        calls = []

        def once(exchange):
            calls.append(len(exchange.parts))
            exchange.watch = None

        async with driving(serve(script)) as driver:
            exchange = await driver.request(watch=once)
            return calls, exchange

    calls, exchange = asyncio.run(main())
    assert len(calls) == 1
    assert exchange.failure is None


def test_a_watcher_may_cancel_what_it_watches(serve, monkeypatch):
    ends = []
    ended = Pool.ended

    def counting(self, *what):
        ends.append(what)
        ended(self, *what)

    monkeypatch.setattr(Pool, "ended", counting)

    async def main():
        async with driving(serve(answering(stream(STORY)))) as driver:
            exchange = await driver.request(watch=lambda e: driver.transport.cancel(e))
            assert (await driver.request()).failure is None
            return exchange, driver.ended

    exchange, ended = asyncio.run(main())
    assert ended == [0, 1]
    assert len(ends) == 2
    assert exchange.cancelled


def early(serve, words, watch=None):
    """Send a second request just as the server said these words, unasked: they are in the socket, and not read yet."""
    answered, said, over = threading.Event(), threading.Event(), threading.Event()

    def speaks_early(wire):
        wire.request()
        wire.send(stream(STORY))
        if not said.is_set():
            answered.wait(5)
            wire.send(words)
            said.set()
            over.wait(5)  # the end of the connection would change the stamp of the words
        elif wire.request() is not None:
            wire.send(stream(STORY))

    async def main(server):
        async with driving(server, bodies=[BODY] * 2) as driver:
            await driver.request()
            answered.set()
            assert said.wait(5)  # the loop stands still: what was said stays unread
            late = await driver.request(watch=watch and (lambda exchange: watch(driver, exchange)))
            over.set()
            return late, driver.transport.reopened

    return asyncio.run(main(serve(speaks_early)))


def test_what_the_server_said_before_a_request_is_no_answer_to_it(serve):
    late, reopened = early(serve, whole(b"{}", status="408 Request Timeout"))
    assert late.status == 200
    assert late.t_hdr >= late.t0
    assert reopened == 1


def test_a_request_that_is_cancelled_is_not_sent_again(serve):
    late, reopened = early(
        serve, stream(STORY)[:-20], watch=lambda driver, exchange: driver.transport.cancel(exchange)
    )
    assert late.cancelled
    assert reopened == 0


def test_that_the_server_waited_too_long_is_no_answer_on_a_connection_that_was_idle(serve):
    """Its words crossed the request: they came after it had left."""
    waited_too_long = whole(b"{}", status="408 Request Timeout", connection="close")

    def gives_up(wire):
        wire.request()
        wire.send(stream(STORY))
        if wire.request() is not None:
            wire.send(waited_too_long)

    async def main(server):
        async with driving(server, bodies=[BODY] * 2) as driver:
            await driver.request()
            return await driver.request(), driver.transport.reopened

    late, reopened = asyncio.run(main(serve(gives_up)))
    assert late.status == 200
    assert reopened == 1


@pytest.mark.parametrize("answered", [0, 1])
def test_that_the_server_waited_too_long_counts_where_it_can_be_meant(serve, answered):
    """On a new connection, or from a server that keeps it open."""
    waited_too_long = whole(
        b"{}", status="408 Request Timeout", **({} if answered else {"connection": "close"})
    )

    def gives_up(wire):
        for _ in range(answered):
            wire.request()
            wire.send(stream(STORY))
        if wire.request() is not None:
            wire.send(waited_too_long)

    async def main(server):
        async with driving(server, bodies=[BODY] * 2) as driver:
            for _ in range(answered):
                await driver.request()
            return await driver.request(), driver.transport.reopened

    late, reopened = asyncio.run(main(serve(gives_up)))
    assert late.status == 408
    assert reopened == 0
