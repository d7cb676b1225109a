"""A stand-in for the load process: it answers each plan from a model of a server, without sending anything.

The columns that it makes are those of a closed loop, in which every slot sends its next request as soon as its last one
ended, or of an open loop, in which requests are sent when they are due. Time is virtual: a run takes as long as its
requests would have.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pytest_aiperf.common.records import ABSENT, ErrorGroup, Outcome, RecordBatch, RunFacts
from pytest_aiperf.engine.plan import LoadPlan

MS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Server:
    """How the server, and the machine around it, behave during one run."""

    ttft_ms: float = 50.0
    itl_ms: float = 5.0
    noise: float = 0.02
    """sd of log(latency) between requests."""
    failed: float = 0.0
    """Share of requests that fail."""
    truncated: float = 0.0
    stalled: float = 0.0
    """Share of requests that take three times as long."""
    osl: int | None = None
    """None: what is asked for."""
    isl: int = 128
    usage: bool = True
    idle_ms: float = 0.0
    """How long a slot stands empty between two requests."""
    late_ms: float = 0.0
    """How much later than due requests are sent (open loop)."""
    coalesced: float = 0.0
    right: float = 1.0
    """Share of right answers, where some are expected; the same ones in every run."""
    sampled: bool = False
    """Which answers are right is drawn anew in every run."""
    facts: dict[str, Any] = field(default_factory=dict)
    ends_after: int | None = None
    """The run is cut short after so many requests."""

    def slower(self, factor: float) -> Server:
        """Return the same server, slower throughout."""
        return replace(self, ttft_ms=self.ttft_ms * factor, itl_ms=self.itl_ms * factor)


class VirtualTime:
    """Takes the place of the module `time` where a measurement looks at the clock."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


class ScriptedLoad:
    """Runs plans against a script: the server of the i-th run, the rehearsal being the zeroth. Probes do not count."""

    def __init__(
        self,
        script: Callable[[int], Server] | Server,
        time: VirtualTime,
        others: Mapping[str, Callable[[int], Server] | Server] | None = None,
    ) -> None:
        """`others` are scripts of further servers, by the beginning of their URL; the runs of all count as one row."""
        self._script = script
        self._others = others or {}
        self._time = time
        self.plans: list[LoadPlan] = []
        self.probes = 0
        self.workers: list[int] = []

    def run(self, plan: LoadPlan, on_progress=None, *, deadline_s=None, workers=1) -> RecordBatch:
        self.workers.append(workers)
        if len(plan.bodies) == 1:
            self.probes += 1
            server = self._server(plan, 0)
        else:
            self.plans.append(plan)
            server = self._server(plan, len(self.plans) - 1)
        batch = answered(plan, server, seed=len(self.plans) + 1000 * self.probes)
        self._time.now_s += batch.facts.end_ns / 1e9
        if on_progress is not None:
            failed = int(np.count_nonzero(batch.outcome != Outcome.OK))
            on_progress(len(plan.bodies), len(batch), failed)
        return batch

    def _server(self, plan: LoadPlan, index: int) -> Server:
        script = next((s for url, s in self._others.items() if plan.url.startswith(url)), self._script)
        return script(index) if callable(script) else script


def answered(plan: LoadPlan, server: Server, *, seed: int) -> RecordBatch:
    """Return the records of one run, in the order of completion."""
    rng = np.random.default_rng(seed)
    n = _requests(plan, server) if server.ends_after is None else server.ends_after
    osl = server.osl if server.osl is not None else json.loads(plan.bodies[0])["max_tokens"]
    messages = osl if plan.streaming else 1
    factor = np.exp(rng.normal(0, server.noise, n)) * np.where(_spread(n, server.stalled), 3.0, 1.0)
    ttft, itl = server.ttft_ms * factor * MS, server.itl_ms * factor * MS
    # Content that is not streamed comes whole, at the end.
    first = ttft if plan.streaming else ttft + itl * (osl - 1)
    gaps = itl if plan.streaming else np.zeros(n)
    due = None if plan.due_ns is None else plan.due_ns[:n] + server.late_ms * MS
    lasting = first + gaps * (messages - 1)
    cancelled = np.zeros(n, dtype=bool)
    if plan.cancel_after_ns is not None:
        cancelled = (plan.cancel_after_ns[:n] >= 0) & (plan.cancel_after_ns[:n] < lasting)
        lasting = np.where(cancelled, plan.cancel_after_ns[:n], lasting)
    starts, slots = _starts(lasting + server.idle_ms * MS, plan.concurrency, due)
    content = (starts + first)[:, None] + gaps[:, None] * np.arange(messages)
    outcome = np.where(_spread(n, server.failed), Outcome.ERROR, Outcome.OK)
    outcome = np.where(_spread(n, server.truncated), Outcome.TRUNCATED, outcome).astype(np.int8)
    outcome[cancelled] = Outcome.CANCELLED
    ends = np.where(cancelled, starts + lasting, content[:, -1])
    sent = np.ones(n, dtype=bool) if plan.duration_s is None else starts < plan.duration_s * 1e9
    order = np.argsort(ends, kind="stable")
    order = order[sent[order]]
    rows = len(order)
    seen = content[order] <= ends[order][:, None]
    failed = (outcome[order] == Outcome.ERROR) | (outcome[order] == Outcome.TRUNCATED)
    t0 = starts[order].astype(np.int64)
    right = np.where(rng.random(n) < server.right if server.sampled else _spread(n, server.right), 1, 0)
    right = np.where(outcome == Outcome.OK, right, ABSENT).astype(np.int8)
    facts = RunFacts(
        start_ns=1_700_000_000_000_000_000,
        end_ns=int(ends[order].max(initial=0)),
        drain_ns=0,
        clock_shift_ns=0,
        cpu_share=0.2,
        loop_lag_p99_ns=0,
        timestamps="kernel",
        transport="scripted",
        concurrency=plan.concurrency,
        planned=plan.planned,
        open_loop=plan.due_ns is not None,
    )
    return RecordBatch(
        facts=replace(facts, **server.facts),
        request_index=order.astype(np.int32),
        slot=slots[order].astype(np.int32),
        outcome=outcome[order],
        status=np.full(rows, 200, dtype=np.int16),
        error=np.where(failed, 0, ABSENT).astype(np.int32),
        t_plan=t0 if plan.due_ns is None else plan.due_ns[order],
        t0=t0,
        t_sent=t0,
        t_hdr=t0,
        t_end=ends[order].astype(np.int64),
        t_output=content[order, 0].astype(np.int64),
        connecting_ns=np.zeros(rows, dtype=np.int64),
        sent_bytes=np.full(rows, 500, dtype=np.int32),
        received_bytes=np.full(rows, 2000, dtype=np.int64),
        conversation=np.full(rows, ABSENT, dtype=np.int32),
        content_offsets=np.concatenate(([0], np.cumsum(seen.sum(axis=1)))).astype(np.int64),
        content_ns=content[order][seen].astype(np.int64),
        coalesced=np.full(rows, round(server.coalesced * messages), dtype=np.int32),
        first_tokens=np.ones(rows, dtype=np.int32),
        input_tokens=np.full(rows, server.isl if server.usage else ABSENT, dtype=np.int32),
        output_tokens=np.full(rows, osl if server.usage else ABSENT, dtype=np.int32),
        reasoning_tokens=np.full(rows, ABSENT, dtype=np.int32),
        cached_tokens=np.full(rows, ABSENT, dtype=np.int32),
        correct=np.full(rows, ABSENT, dtype=np.int8) if plan.expected is None else right[order],
        errors=(ErrorGroup(type="http", code=503, message="busy", count=int(failed.sum())),)
        if failed.any()
        else (),
    )


def _requests(plan: LoadPlan, server: Server) -> int:
    """How many requests are made up: all that are planned, or more than fit into the duration."""
    if plan.planned is not None:
        return plan.planned
    return int(10 * plan.concurrency * plan.duration_s * 1000 / server.ttft_ms)


def _spread(n: int, share: float) -> np.ndarray:
    """Which requests, evenly spread: exactly this share of any stretch."""
    counts = np.floor(np.arange(n + 1) * share + 1e-9)
    return np.diff(counts) > 0


def _starts(
    durations_ns: np.ndarray, concurrency: int | None, due_ns: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Start and slot of each request: when it is due, and a slot is free."""
    n = len(durations_ns)
    free = [(0.0, slot) for slot in range(n if concurrency is None else concurrency)]
    starts, slots = np.zeros(n), np.zeros(n, dtype=np.int64)
    for i, duration in enumerate(durations_ns):
        free_at, slots[i] = heapq.heappop(free)
        starts[i] = free_at if due_ns is None else max(free_at, due_ns[i])
        heapq.heappush(free, (starts[i] + duration, int(slots[i])))
    return starts, slots
