"""Every wait has its limit, its own message, and is noticed soon after the limit is over."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import socket
import threading
import time
from dataclasses import dataclass

import pytest
from driving import driving
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import STORY, STREAM_HEAD, answering, chunk, head, stream, token, whole

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.engine import LoadPlan, deadlines
from pytest_aiperf.engine.deadlines import Deadlines
from pytest_aiperf.engine.transport import Exchange

BILLION = 1_000_000_000


def hold_before_the_head(wire):
    wire.request()
    wire.hold()


def hold_in_the_head(wire):
    wire.request()
    wire.send(STREAM_HEAD[:20])
    wire.hold()


def hold_after_100(wire):
    wire.request()
    wire.send(head("100 Continue"))
    wire.hold()


def hold_in_the_body(wire):
    wire.request()
    wire.send(STREAM_HEAD + chunk(token("a")))
    wire.hold()


def trickle(wire):
    wire.request()
    wire.send(STREAM_HEAD)
    while True:
        time.sleep(0.01)
        wire.send(chunk(token("a")))


@pytest.mark.parametrize(
    ("script", "limit", "message"),
    [
        (
            hold_before_the_head,
            "first_byte_timeout_s",
            "no byte of the answer within 0.2 s after the request",
        ),
        (hold_in_the_head, "stall_timeout_s", "the answer stalled for 0.2 s after its beginning"),
        (hold_after_100, "stall_timeout_s", "the answer stalled for 0.2 s after its beginning"),
        (hold_in_the_body, "stall_timeout_s", "the answer stalled for 0.2 s after its beginning"),
        (trickle, "request_timeout_s", "the answer was not complete within 0.2 s"),
        (hold_before_the_head, "request_timeout_s", "the answer was not complete within 0.2 s"),
    ],
)
def test_each_kind_of_timeout_has_its_own_limit_and_message(load, serve, script, limit, message):
    batch = load(serve(script), **{limit: 0.2})
    assert batch.outcome.tolist() == [Outcome.ERROR]
    assert [(g.type, g.message) for g in batch.errors] == [("timeout", message)]
    assert batch.t_end[0] - batch.t0[0] >= 0.2 * BILLION


def test_a_connection_that_does_not_come_about_in_the_run_times_out():
    """A full backlog: the kernel answers no greeting any more."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    fillers = []

    def script():
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(5)
            sock.recv(65536)
            for _ in range(4):
                fillers.append(socket.socket())
                fillers[-1].setblocking(False)
                fillers[-1].connect_ex(("127.0.0.1", port))
            sock.sendall(
                whole(b"".join(STORY), content_type="text/event-stream", connection="close"),
            )

    async def main():
        async with driving(f"http://127.0.0.1:{port}/", connect_timeout_s=0.2) as driver:
            return [await driver.request() for _ in range(2)]

    thread = threading.Thread(target=script)
    thread.start()
    try:
        answered, waiting = asyncio.run(main())
    finally:
        thread.join(5)
        for sock in (listener, *fillers):
            sock.close()
    assert answered.failure is None
    assert tuple(waiting.failure)[:2] == ("timeout", f"no connection to 127.0.0.1:{port} within 0.2 s")
    assert waiting.t_end - waiting.t0 >= 0.2 * BILLION
    assert (waiting.t_sent, waiting.connecting_ns) == (0, 0)


def test_an_endpoint_that_does_not_take_the_first_connection_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for sock in fillers:
            sock.setblocking(False)
            sock.connect_ex(address)

        async def main():
            async with driving(f"http://127.0.0.1:{address[1]}/", connect_timeout_s=0.2):
                pass

        with pytest.raises(EndpointError, match=r"no answer within 0\.2 s"):
            asyncio.run(main())
        for sock in fillers:
            sock.close()


def test_no_limit_runs_while_a_connection_is_idle(serve):
    server = serve(answering(stream(STORY)))

    async def main():
        limits = dict.fromkeys(
            ("first_byte_timeout_s", "stall_timeout_s", "request_timeout_s", "connect_timeout_s"), 0.2
        )
        async with driving(server, **limits) as driver:
            await driver.request()
            await asyncio.sleep(0.5)
            return await driver.request()

    assert asyncio.run(main()).failure is None
    assert server.connections == 1


# The sweep, on a clock of its own.


class Clock:
    """An event loop's timers and time_ns, without the waiting."""

    def __init__(self):
        self.now_ns = 1_700_000_000 * BILLION
        self.looks = 0
        self._timers = []
        self._order = itertools.count()

    def call_later(self, delay_s, callback):
        entry = [self.now_ns + int(delay_s * BILLION), next(self._order), callback]
        heapq.heappush(self._timers, entry)
        return self

    def cancel(self):
        self._timers.clear()

    def run_until(self, ns):
        while self._timers and self._timers[0][0] <= ns:
            at, _, callback = heapq.heappop(self._timers)
            self.now_ns = at
            self.looks += 1
            callback()
        self.now_ns = ns


@dataclass(eq=False)
class Stub:
    exchange: Exchange | None = None
    connecting: bool = False
    begun_ns: int = 0
    heard_ns: int = 0
    awaited: str = "connection"


LIMITS = st.floats(0.01, 100)


def sweeping(monkeypatch, stubs, **limits):
    clock, late = Clock(), []
    monkeypatch.setattr(deadlines, "time_ns", lambda: clock.now_ns)
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)

    def overdue(stub, failure):
        stubs.remove(stub)
        late.append((clock.now_ns, stub, failure))

    plan = LoadPlan(url="http://h/", bodies=[b""], concurrency=1, **limits)
    return clock, late, Deadlines(plan, lambda: stubs, overdue)


@settings(deadline=None, max_examples=60)
@given(
    limits=st.fixed_dictionaries(
        dict.fromkeys(
            ("connect_timeout_s", "first_byte_timeout_s", "stall_timeout_s", "request_timeout_s"), LIMITS
        )
    ),
    starts=st.lists(
        st.tuples(st.floats(0, 50), st.sampled_from(["connecting", "mute", "begun"])), max_size=6
    ),
)
def test_a_timeout_is_noticed_within_a_quarter_of_the_shortest_limit_and_of_a_second(limits, starts):
    with pytest.MonkeyPatch.context() as monkeypatch:
        stubs = []
        clock, late, _ = sweeping(monkeypatch, stubs, **limits)
        origin, due = clock.now_ns, {}
        for start_s, phase in sorted(starts):
            clock.run_until(origin + int(start_s * BILLION))
            stub = Stub()
            if phase == "connecting":
                stub.connecting, stub.begun_ns = True, clock.now_ns
                limit_s = limits["connect_timeout_s"]
            else:
                stub.exchange = Exchange(0, 0, b"")
                stub.exchange.t0 = clock.now_ns
                stub.heard_ns = clock.now_ns if phase == "begun" else 0
                own = "stall_timeout_s" if phase == "begun" else "first_byte_timeout_s"
                limit_s = min(limits[own], limits["request_timeout_s"])
            due[stub] = clock.now_ns + limit_s * BILLION
            stubs.append(stub)
        clock.run_until(origin + 200 * BILLION)
    assert not stubs
    tolerance_ns = min(min(limits.values()) / 4, 0.25) * BILLION + 2_000_000  # the timers' slack
    for noticed, stub, _ in late:
        assert -1000 <= noticed - due[stub] <= tolerance_ns


def test_reads_put_a_stall_off(monkeypatch):
    stub = Stub(exchange=Exchange(0, 0, b""))
    stubs = [stub]
    clock, late, _ = sweeping(monkeypatch, stubs, stall_timeout_s=1.0)
    origin = stub.exchange.t0 = clock.now_ns
    for tenths in range(0, 100, 9):
        stub.heard_ns = origin + tenths * BILLION // 10
        clock.run_until(stub.heard_ns)
    assert not late
    clock.run_until(stub.heard_ns + 2 * BILLION)
    assert [failure.message for *_, failure in late] == ["the answer stalled for 1 s after its beginning"]


def test_with_the_default_limits_the_sweep_hardly_ever_looks(monkeypatch):
    clock, _, sweep = sweeping(monkeypatch, [])
    clock.run_until(clock.now_ns + 600 * BILLION)
    assert clock.looks <= 61
    sweep.stop()
    clock.run_until(clock.now_ns + 60 * BILLION)
    assert clock.looks <= 61


def test_what_ended_because_of_an_earlier_timeout_is_not_ended_again(monkeypatch):
    first, second = (Stub(exchange=Exchange(i, 0, b"")) for i in range(2))

    class EndsBoth(list):
        def remove(self, stub):
            first.exchange = second.exchange = None
            self.clear()

    clock, late, _ = sweeping(monkeypatch, EndsBoth([first, second]), request_timeout_s=1.0)
    first.exchange.t0 = second.exchange.t0 = clock.now_ns
    clock.run_until(clock.now_ns + 3 * BILLION)
    assert len(late) == 1
