"""How much memory the load process takes for 200 000 requests of 32 messages, every one recorded in full.

    python tests/bench/memory.py [--requests N] [--quick]

The peak is VmHWM, which the kernel keeps for the process, so no moment is missed: Python itself, numpy, the plan, the
records and their way to the parent are all in it. The plan has 1 000 bodies of 450 bytes that are sent in turn; with
bodies that all differ their bytes come on top, once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from clients import BODY, load_process
from figures import Figure, publish
from token_server import token_server

from pytest_aiperf.engine.plan import LoadPlan

TOKENS = 32
BODIES = 1000
SLOTS = 64


def peak_mb(pid: int) -> float:
    """Peak resident set so far, in 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError("the kernel does not tell VmHWM; Linux is needed")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the requests: the goal says little then"
    )
    options = parser.parse_args()
    requests = options.requests // 10 if options.quick else options.requests
    with token_server(TOKENS) as server, load_process() as load:
        pid = load.process.pid
        assert pid is not None
        load.run(LoadPlan(url=server.url, bodies=[BODY] * SLOTS, concurrency=SLOTS))
        before_mb = peak_mb(pid)
        plan = LoadPlan(url=server.url, bodies=[BODY] * BODIES, count=requests, concurrency=SLOTS)
        batch = load.run(plan)
        assert load.process.pid == pid
        after_mb = peak_mb(pid)
    assert len(batch) == requests, f"{len(batch)} of {requests} requests were sent"
    assert not batch.errors, batch.errors
    assert len(batch.content_ns) == requests * TOKENS
    per_request = (after_mb - before_mb) * 1e6 / requests
    figures = [
        Figure(
            name=f"peak of the load process, {requests:,} x {TOKENS}", value=after_mb, unit="MB", at_most=250
        ),
        Figure(name="of that: the process before the run", value=before_mb, unit="MB"),
        Figure(name="the rest, by request", value=per_request, unit="B/request"),
    ]
    publish("memory", figures, requests=requests, tokens=TOKENS)


if __name__ == "__main__":
    main()
