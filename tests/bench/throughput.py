"""How many streamed requests a second one load process records in full.

    python tests/bench/throughput.py [--requests N] [--rounds N]

16-token streams without delay, 64 slots, every request with its full record. The server is a C program on the other
core (compiled here; `cc` is needed), so that the client is what limits. Where `wrk` is installed, its rate against
the same server in the same round is the yardstick: a bare C client that records nothing. Prints a table and a JSON
line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SLOTS = 64
TOKENS = 16
WRK_S = 2
LOAD = """
import json, sys, time
from pytest_aiperf.engine import LoadPlan, run_load
from pytest_aiperf.engine.loop import run
url, requests, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
body = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 400 + b'"}],"stream":true}'
def plan(n):
    return LoadPlan(url=url, bodies=[body] * n, concurrency=slots)
run(run_load(plan(2000)))
began, cpu = time.perf_counter(), time.process_time()
batch = run(run_load(plan(requests)))
took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
assert len(batch) == requests and not batch.errors and (batch.content_count() == batch.output_tokens).all()
print(json.dumps({"rate": requests / took_s, "cpu_us": cpu_s / requests * 1e6, "timestamps": batch.facts.timestamps}))
"""


@contextlib.contextmanager
def token_server():
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "token_server"
        source = Path(__file__).with_name("token_server.c")
        subprocess.run(["cc", "-O2", "-o", program, source], check=True)
        server = subprocess.Popen([program, str(TOKENS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1/chat/completions"
        finally:
            server.communicate(timeout=10)


def load_rate(url: str, requests: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, url, str(requests), str(SLOTS)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    return json.loads(done.stdout)


def wrk_rate(url: str) -> float | None:
    if shutil.which("wrk") is None:
        return None
    done = subprocess.run(
        ["wrk", "-t1", f"-c{SLOTS}", f"-d{WRK_S}", url],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rounds = []
    print(f"{'round':>5} {'requests/s':>11} {'CPU µs/request':>15} {'wrk':>9} {'ratio':>6}")
    with token_server() as url:
        for number in range(1, options.rounds + 1):
            load = load_rate(url, options.requests)
            wrk = wrk_rate(url)
            ratio = load["rate"] / wrk if wrk else float("nan")
            rounds.append((load["rate"], load["cpu_us"], ratio))
            print(
                f"{number:>5} {load['rate']:>11,.0f} {load['cpu_us']:>15.1f} {wrk or 0:>9,.0f} {ratio:>6.2f}"
            )
    rate, cpu_us, ratio = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{'median':>5} {rate:>10,.0f} {cpu_us:>15.1f} {'':>9} {ratio:>6.2f}   goal: 25,000 and 0.30")
    print(
        json.dumps(
            {
                "benchmark": "throughput",
                "at": time.strftime("%Y-%m-%dT%H:%M:%S"),
                "slots": SLOTS,
                "tokens": TOKENS,
                "requests_per_s": round(rate),
                "best_requests_per_s": round(max(r[0] for r in rounds)),
                "cpu_us_per_request": round(cpu_us, 1),
                "ratio_to_wrk": round(ratio, 3) if ratio == ratio else None,
            }
        )
    )


if __name__ == "__main__":
    main()
