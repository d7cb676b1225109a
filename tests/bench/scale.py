"""What a request costs as requests and load processes grow.

    python tests/bench/scale.py [--rounds N] [--quick]

16-token streams without delay, 64 slots, against the C server: 2 000 requests, then 10 and 100 times as many, each by
one load process and by two. The cost is CPU time of the load processes from the plan's arrival to the records' leaving,
as the kernel counts it, so a busy machine disturbs it less than a rate; the test process's own share (dealing, sending,
merging) stands beside it. A message that comes by itself is dearer than one that comes with the whole answer: its cost
is taken from 64 streams of 64 tokens, 5 ms apart. "Beside" is how much longer the call took than the load: sending the
plan, connecting, the common start, fetching the records. Rates of two processes say something on three free cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median

from clients import BODY
from figures import Figure, publish
from token_server import token_server
from truth_server import truth_server

from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.services.load_pool import LoadPool

SLOTS = 64
TOKENS = 16
REQUESTS = 2_000
TIMES = (1, 10, 100)
WORKERS = (1, 2)
FLAT = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    worker_us: float
    """CPU of all load processes for each request."""
    parent_us: float
    rate: float
    beside_ms: float


def cpu_ns(pids: list[int]) -> int:
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)


def cost_of(pool: LoadPool, url: str, requests: int, workers: int) -> Cost:
    plan = LoadPlan(url=url, bodies=[BODY] * requests, concurrency=SLOTS)
    workers_ns, parent_ns, began_ns = cpu_ns(pool.pids), time.process_time_ns(), time.monotonic_ns()
    batch = pool.run(plan, workers=workers)
    took_ns = time.monotonic_ns() - began_ns
    workers_ns, parent_ns = cpu_ns(pool.pids) - workers_ns, time.process_time_ns() - parent_ns
    assert len(batch) == requests, batch.facts.cut_short
    assert not batch.errors, batch.errors
    assert batch.facts.workers == workers
    return Cost(
        worker_us=workers_ns / requests / 1e3,
        parent_us=parent_ns / requests / 1e3,
        rate=requests / batch.facts.end_ns * 1e9,
        beside_ms=(took_ns - batch.facts.end_ns) / 1e6,
    )


def message_us(pool: LoadPool) -> float:
    """CPU of the load process for each message that comes by itself, its part of the request included."""
    with truth_server(tokens=64, first_ms=50, gap_ms=5) as server:
        plan = LoadPlan(url=server.url, bodies=[BODY] * (16 * SLOTS), concurrency=SLOTS)
        before_ns = cpu_ns(pool.pids)
        batch = pool.run(plan, workers=1)
        return (cpu_ns(pool.pids) - before_ns) / len(batch.content_ns) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds, and only 10 times as many requests")
    options = parser.parse_args()
    rounds, times = (2, TIMES[:-1]) if options.quick else (options.rounds, TIMES)
    costs: dict[tuple[int, int], list[Cost]] = defaultdict(list)
    with (
        token_server(TOKENS) as server,
        tempfile.TemporaryDirectory() as folder,
        LoadPool(max(WORKERS), log_dir=Path(folder)) as pool,
    ):
        for workers in WORKERS:
            cost_of(pool, server.url, REQUESTS, workers)
        for _ in range(rounds):
            for workers in WORKERS:
                for factor in times:
                    costs[workers, factor].append(cost_of(pool, server.url, REQUESTS * factor, workers))
        each_message_us = message_us(pool)
    columns = ("processes", "requests", "CPU µs/request", "test process", "requests/s", "beside ms")
    print(" ".join(f"{name:>15}" for name in columns))
    for (workers, factor), seen in costs.items():
        worker_us, parent_us, rate, beside_ms = (
            median(getattr(c, f.name) for c in seen) for f in fields(Cost)
        )
        cells = (workers, f"{REQUESTS * factor:,}", f"{worker_us:.1f}", f"{parent_us:.1f}")
        print(" ".join(f"{cell:>15}" for cell in (*cells, f"{rate:,.0f}", f"{beside_ms:,.0f}")))

    def cost(workers: int, factor: int) -> float:
        return median(c.worker_us for c in costs[workers, factor])

    figures = [
        Figure(
            name=f"cost of a request, {factor} times as many, {workers} process{'es' * (workers - 1)}",
            value=cost(workers, factor) / cost(workers, 1),
            unit="",
            at_most=FLAT,
        )
        for workers in WORKERS
        for factor in times[1:]
    ]
    most = times[-1]
    figures += [
        Figure(
            name="cost of a request, two processes to one",
            value=cost(2, most) / cost(1, most),
            unit="",
            at_most=FLAT,
        ),
        Figure(name="CPU of the load process", value=cost(1, most), unit="µs/request"),
        Figure(name="CPU of the load process, paced streams", value=each_message_us, unit="µs/message"),
    ]
    publish("scale", figures, slots=SLOTS, tokens=TOKENS, requests=REQUESTS * most, rounds=rounds)


if __name__ == "__main__":
    main()
