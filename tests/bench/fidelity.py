"""What the load engine reports against what the server did: TTFT, ITL and latency of the same requests, both sides.

    python tests/bench/fidelity.py [--streams 16 64 128 ...] [--rounds N] [--quick]

Streams of 64 tokens, 5 ms apart, the first after 50 ms. The truth is the server's own log: TTFT from the kernel's
receive stamp of the request to the send of the first token. The server is a C program (truth_server.c), because at 512
streams one in Python would be the limit. The same load is sent with a plain aiohttp client on uvloop, against its own
truth. Figures are medians over the rounds. At last the engine is measured against the embedded mock server, which is
Python: a second witness, up to 128 streams.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np
from clients import BODY, METRICS, aiohttp_load, load_process, reported
from figures import Figure, publish
from truth_server import TruthServer, truth_server

from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.request_bytes import request_number
from pytest_aiperf.services.load_process import LoadProcess

TOKENS, FIRST_MS, GAP_MS = 64, 50.0, 5.0
QUANTILES = (50, 99)
SERVE = """
import json, sys
from pytest_aiperf.mock_server.listener import listen
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.mock_server.server import MockServer
server = MockServer(MockOptions.from_dict(json.loads(sys.argv[1])), listen())
print(server.port, flush=True)
server.run(stop_fd=0)
"""
Columns = dict[str, np.ndarray]
Round = dict[str, float]


def truth(rows: list[dict[str, Any]]) -> Columns:
    """The server's side, in ms, one entry for each of its rows; `lag` is that of each token."""
    received = np.array([row["t_recv_ns"] for row in rows])
    sent = np.array([row["sent_ns"] for row in rows])
    assert sent.shape == (len(rows), TOKENS), "the server did not send every token of every request"
    due = received[:, None] + (FIRST_MS + GAP_MS * np.arange(TOKENS)) * 1e6
    return {
        "ttft": (sent[:, 0] - received) / 1e6,
        "itl": (sent[:, -1] - sent[:, 0]) / (TOKENS - 1) / 1e6,
        "latency": (sent[:, -1] - received) / 1e6,
        "lag": ((sent - due) / 1e6).ravel(),
    }


def compared(said: Columns, true: Columns) -> Round:
    """Quantiles of both sides in ms, and the p99 of what single requests are off by."""
    round_: Round = {}
    for name in METRICS:
        for q in QUANTILES:
            round_[f"{name}_p{q}"] = float(np.percentile(said[name], q))
            round_[f"true_{name}_p{q}"] = float(np.percentile(true[name], q))
    round_["ttft_off_each_p99"] = float(np.percentile(np.abs(said["ttft"] - true["ttft"]), 99))
    for q in QUANTILES:
        round_[f"lag_p{q}"] = float(np.percentile(true["lag"], q))
    return round_


def engine_round(load: LoadProcess, url: str, streams: int, requests: int, log: Any) -> Round:
    load.run(LoadPlan(url=url, bodies=[BODY] * streams, concurrency=streams))
    log()
    batch = load.run(LoadPlan(url=url, bodies=[BODY] * requests, concurrency=streams))
    assert not batch.errors, batch.errors
    rows = {request_number(row["id"]): row for row in log()}
    round_ = compared(reported(batch), truth([rows[i] for i in batch.request_index.tolist()]))
    round_["cpu_pct"] = batch.facts.cpu_share * 100
    round_["coalesced_pct"] = float(batch.coalesced.sum() / len(batch.content_ns) * 100)
    round_["kernel"] = float(batch.facts.timestamps == "kernel")
    return round_


def aiohttp_round(server: TruthServer, streams: int, requests: int) -> Round:
    server.take_log()
    done = aiohttp_load(server.url, streams, requests)
    rows = {row["id"]: row for row in server.take_log()}
    plain = {name: np.array([r[f"{name}_ms"] for r in done["requests"]]) for name in METRICS}
    round_ = compared(plain, truth([rows[r["id"]] for r in done["requests"]]))
    round_["cpu_pct"] = done["cpu_s"] / done["took_s"] * 100
    return round_


@contextlib.contextmanager
def mock_server() -> Iterator[int]:
    options = {"ttft_ms": FIRST_MS, "itl_ms": GAP_MS, "osl": TOKENS}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline())
    finally:
        server.communicate(timeout=10)


def take_mock_log(port: int) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/log")
        log = json.loads(connection.getresponse().read())
        connection.request("DELETE", "/log")
        connection.getresponse().read()
    return log["requests"]


def print_head(server: str) -> None:
    print(f"\n{server}: reported (true), ms")
    head = "".join(f"{f'{name} p{q}':>22}" for name in METRICS for q in QUANTILES)
    print(
        f"{'streams':>7} {'client':<8}{head}  {'|ttft off| p99':>14}  {'server lag p50/p99':>19} {'CPU':>5}"
    )


def print_round(streams: int, client: str, r: Round) -> None:
    pairs = (f"{r[f'{n}_p{q}']:.3f} ({r[f'true_{n}_p{q}']:.3f})" for n in METRICS for q in QUANTILES)
    cells = "".join(f"{pair:>22}" for pair in pairs)
    lag = f"{r['lag_p50']:.3f}/{r['lag_p99']:.3f}"
    print(
        f"{streams:>7} {client:<8}{cells}  {r['ttft_off_each_p99']:>14.3f}  {lag:>19} {r['cpu_pct']:>4.0f}%",
        flush=True,
    )


def figures_of(streams: int, engine: list[Round], plain: list[Round]) -> list[Figure]:
    """The goals: TTFT in ms, ITL as a share of the truth."""
    small = streams <= 128

    def off(rounds: list[Round], key: str) -> float:
        return median(abs(r[key] - r[f"true_{key}"]) for r in rounds)

    def share(rounds: list[Round], key: str) -> float:
        return median(abs(r[key] / r[f"true_{key}"] - 1) * 100 for r in rounds)

    goals = {
        "ttft_p50": 0.15 if small else None,
        "ttft_p99": 0.5 if small else 1.5 if streams == 512 else None,
    }
    figures = [
        Figure(
            name=f"{streams} streams: TTFT {key[-3:]} off by",
            value=off(engine, key),
            unit="ms",
            at_most=goal,
            aiohttp=off(plain, key),
        )
        for key, goal in goals.items()
    ]
    figures += [
        Figure(
            name=f"{streams} streams: ITL {key[-3:]} off by",
            value=share(engine, key),
            unit="%",
            at_most=0.5,
            aiohttp=share(plain, key),
        )
        for key in ("itl_p50", "itl_p99")
    ]
    figures += [
        Figure(
            name=f"{streams} streams: latency {key[-3:]} off by",
            value=off(engine, key),
            unit="ms",
            aiohttp=off(plain, key),
        )
        for key in ("latency_p50", "latency_p99")
    ]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, nargs="+", default=[16, 64, 128, 256, 512])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, fewer requests")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    figures: list[Figure] = []
    every: dict[int, dict[str, list[Round]]] = {}

    def requests_for(streams: int) -> int:
        return max(streams * (3 if options.quick else 8), 200 if options.quick else 512)

    with load_process() as load:
        print_head("C server")
        with truth_server(tokens=TOKENS, first_ms=FIRST_MS, gap_ms=GAP_MS) as server:
            for streams in options.streams:
                both = every[streams] = {"engine": [], "aiohttp": []}
                for _ in range(rounds):
                    requests = requests_for(streams)
                    both["engine"].append(engine_round(load, server.url, streams, requests, server.take_log))
                    print_round(streams, "engine", both["engine"][-1])
                    both["aiohttp"].append(aiohttp_round(server, streams, requests))
                    print_round(streams, "aiohttp", both["aiohttp"][-1])
                figures += figures_of(streams, both["engine"], both["aiohttp"])
        print_head("embedded mock server (Python)")
        with mock_server() as port:
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            for streams in [s for s in options.streams if s <= 128]:
                requests = requests_for(streams)
                print_round(
                    streams, "engine", engine_round(load, url, streams, requests, lambda: take_mock_log(port))
                )
    publish("fidelity", figures, rounds=every)


if __name__ == "__main__":
    main()
