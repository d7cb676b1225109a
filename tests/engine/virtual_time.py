"""A run on a clock that jumps from one event to the next: what happens when can be asserted to the nanosecond."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine.address import parse_target
from pytest_aiperf.engine.dispatcher import Dispatcher
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.prefill import FirstContent
from pytest_aiperf.engine.request_bytes import RequestBytes
from pytest_aiperf.engine.slots import Slots
from pytest_aiperf.engine.transport import Exchange, Failure

S = 1_000_000_000
MS = 1_000_000
START = 1_700_000_000 * S
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'


@dataclass
class Answer:
    """What the server does with a request: parts at offsets from its sending, and its end."""

    after_ns: int = 0
    parts: Sequence[tuple[int, bytes]] = ()
    failure: Failure | None = None
    sending_ns: int = 0
    """How long the last byte takes to leave."""
    status: int = 200


@dataclass
class VirtualTransport:
    """Answers as it is told, at once as far as the real clock goes."""

    answer: Callable[[Exchange], Answer]
    now_ns: int = START
    on_end: Callable[[Exchange], None] = lambda exchange: None
    most_in_flight: int = 0
    in_flight: set[Exchange] = field(default_factory=set)
    events: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)

    def at(self, when_ns: int, happen: Callable[[], None]) -> None:
        heappush(self.events, (when_ns, next(self.numbers), happen))

    def send(self, exchange: Exchange) -> None:
        answer = self.answer(exchange)
        exchange.t0 = self.now_ns
        exchange.status = answer.status
        self.in_flight.add(exchange)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        if answer.sending_ns:
            self.at(self.now_ns + answer.sending_ns, lambda: self.sent(exchange))
        else:
            self.sent(exchange)
        for offset_ns, part in answer.parts:
            self.at(self.now_ns + offset_ns, lambda part=part: self.receive(exchange, part))
        self.at(self.now_ns + answer.after_ns, lambda: self.end(exchange, answer.failure))

    def sent(self, exchange: Exchange) -> None:
        exchange.t_sent = self.now_ns

    def receive(self, exchange: Exchange, part: bytes) -> None:
        exchange.parts.append(part)
        exchange.stamps.append(self.now_ns)
        if exchange.watch is not None:
            exchange.watch(exchange)

    def end(self, exchange: Exchange, failure: Failure | None) -> None:
        if exchange in self.in_flight:
            self.in_flight.discard(exchange)
            exchange.failure = failure
            exchange.t_end = self.now_ns
            self.on_end(exchange)

    def cancel(self, exchange: Exchange) -> None:
        exchange.cancelled = True
        self.end(exchange, Failure("cancelled", "cancelled"))

    def cancel_all(self) -> None:
        for exchange in list(self.in_flight):
            self.cancel(exchange)


@dataclass
class VirtualAlarm:
    ring: Callable[[], None]
    late_ns: int
    at_ns: int | None = None

    def set(self, at_ns: int | None) -> None:
        self.at_ns = None if at_ns is None else at_ns + self.late_ns

    def close(self) -> None: ...


@dataclass(kw_only=True)
class VirtualRun:
    """What came of it; times are offsets from the start in ns."""

    rows: list[Exchange]
    """In the order in which they were recorded."""
    most_in_flight: int
    drain_ns: int | None
    halted: bool

    @property
    def sent(self) -> list[Exchange]:
        return sorted((e for e in self.rows if e.t0), key=lambda e: (e.t0, e.index))

    def order(self) -> list[int]:
        """Return the requests in the order in which they were sent; of one moment by their number."""
        return [e.index for e in self.sent]

    def t0(self) -> list[int]:
        return [e.t0 - START for e in self.sent]

    def t_plan(self) -> list[int]:
        return [e.t_plan - START for e in self.sent]

    def outcomes(self) -> dict[int, Outcome]:
        return {e.index: outcome_of(e) for e in self.rows}

    @property
    def end_ns(self) -> int:
        return max(e.t_end for e in self.rows) - START


def outcome_of(exchange: Exchange) -> Outcome:
    if exchange.cancelled:
        return Outcome.CANCELLED
    return Outcome.OK if exchange.failure is None else Outcome.ERROR


def plan(requests: int = 1, **fields) -> LoadPlan:
    bodies = fields.pop("bodies", [b"x"] * requests)
    return LoadPlan(url="http://h/", bodies=bodies, **fields)


def virtual_run(
    plan: LoadPlan,
    answer: Callable[[Exchange], Answer] | int = 0,
    *,
    start_ns: int = START,
    closed: bool = False,
    cut_at_ns: int | None = None,
    reading_ns: int = 0,
    alarm_late_ns: int = 0,
) -> VirtualRun:
    """Run a plan to its end; an `answer` that is a number is how long each takes. `closed`: by `Slots`."""
    return asyncio.run(_run(plan, answer, start_ns, closed, cut_at_ns, reading_ns, alarm_late_ns))


async def _run(plan, answer, start_ns, closed, cut_at_ns, reading_ns, alarm_late_ns) -> VirtualRun:
    server = answer if callable(answer) else lambda exchange: Answer(after_ns=answer)
    transport = VirtualTransport(server)
    rows: list[Exchange] = []
    alarms: list[VirtualAlarm] = []

    def record(exchange: Exchange) -> Outcome:
        transport.now_ns += reading_ns
        rows.append(exchange)
        return outcome_of(exchange)

    def make_alarm(loop, ring) -> VirtualAlarm:
        alarms.append(VirtualAlarm(ring, alarm_late_ns))
        return alarms[-1]

    means = {
        "loop": asyncio.get_running_loop(),
        "requests": RequestBytes(plan, [parse_target(plan.url)], ChatEndpoint()),
        "transport": transport,
        "record": record,
        "make_alarm": make_alarm,
    }
    if closed:
        pacer = Slots(plan, **means)
    else:
        pacer = Dispatcher(
            plan, first_content=FirstContent(ChatEndpoint()), clock=lambda: transport.now_ns, **means
        )
    transport.on_end = pacer.ended
    if cut_at_ns is not None:
        transport.at(START + cut_at_ns, pacer.cut)
    pacer.start(start_ns)
    while True:
        for _ in range(3):  # what was asked for by call_soon
            await asyncio.sleep(0)
        if pacer.done.done():
            pacer.done.result()
            break
        _jump(transport, alarms)
    drain_ns = None if pacer.drain_ns is None else pacer.drain_ns - START
    return VirtualRun(
        rows=rows, most_in_flight=transport.most_in_flight, drain_ns=drain_ns, halted=pacer.halted
    )


def _jump(transport: VirtualTransport, alarms: list[VirtualAlarm]) -> None:
    """Go on to the next moment at which something happens, to the server's part in it before the client's."""
    rings = [alarm for alarm in alarms if alarm.at_ns is not None]
    alarm = min(rings, key=lambda alarm: alarm.at_ns, default=None)
    assert alarm is not None or transport.events, "nothing will happen any more, and the run is not over"
    if alarm is None or (transport.events and transport.events[0][0] <= alarm.at_ns):
        when_ns = transport.events[0][0]
        transport.now_ns = max(transport.now_ns, when_ns)
        while transport.events and transport.events[0][0] == when_ns:
            heappop(transport.events)[2]()
        return
    transport.now_ns = max(transport.now_ns, alarm.at_ns)
    alarm.at_ns = None
    alarm.ring()
