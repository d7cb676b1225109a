"""How many streamed requests a second one load process takes, every one recorded in full.

    python tests/bench/throughput.py [--requests N] [--rounds N] [--quick]

16-token streams without delay, 64 slots. The rate counts from the first send to the run's summary in hand, records
brought over from the load process and all metrics computed. The server is a C program on the other core, so that the
client is what limits. Where `wrk` is installed, its rate with the same request (method, headers and body as the load
engine sends them, taken from its socket) in the same round is the yardstick: a bare C client that records nothing.
Beside it a plain aiohttp client on uvloop, which parses as it reads.
"""

from __future__ import annotations

import argparse
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from clients import BODY, aiohttp_load, load_process
from figures import Figure, publish
from token_server import token_server

from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.measure.run_data import summarise
from pytest_aiperf.measure.run_window import RunWindow
from pytest_aiperf.metrics.base_metric import MetricContext
from pytest_aiperf.services.load_process import LoadProcess

SLOTS = 64
TOKENS = 16
WRK_S = 3
SET_BY_WRK = ("host", "content-length")


def load_rate(load: LoadProcess, url: str, requests: int) -> tuple[float, float]:
    """Return requests/s, and µs of the load process's CPU for each."""
    plan = LoadPlan(url=url, bodies=[BODY] * requests, concurrency=SLOTS)
    batch = load.run(plan)
    window, context = RunWindow(warm_up=0, measured=requests), MetricContext(asked_osl=TOKENS)
    data = summarise(batch, window, context=context, stall_threshold_ms=None)
    in_hand_ns = time.time_ns()
    assert data.summary.n_ok == requests, batch.errors
    facts = batch.facts
    first_ns = facts.start_ns + int(batch.t0.min())
    return requests / (in_hand_ns - first_ns) * 1e9, facts.cpu_share * facts.end_ns / requests / 1e3


def sent_by_the_engine(load: LoadProcess) -> tuple[dict[str, str], str]:
    """Return headers and body of a request as they leave the engine's socket."""
    data = b""

    def answer(listener: socket.socket) -> None:
        nonlocal data
        connection, _ = listener.accept()
        with connection:
            while not data.endswith(BODY):
                data += connection.recv(65536)
            connection.sendall(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/chat/completions"
        load.run(LoadPlan(url=url, bodies=[BODY], concurrency=1, request_timeout_s=30))
    head, _, body = data.decode().partition("\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.split("\r\n")[1:]), body


def wrk_script(headers: dict[str, str], body: str) -> Iterator[str]:
    yield 'wrk.method = "POST"'
    yield f"wrk.body = [[{body}]]"
    for name, value in headers.items():
        if name.lower() not in SET_BY_WRK:
            yield f'wrk.headers["{name}"] = "{value}"'


def wrk_rate(url: str, script: Path) -> float:
    if shutil.which("wrk") is None:
        return float("nan")
    done = subprocess.run(
        ["wrk", "-t1", f"-c{SLOTS}", f"-d{WRK_S}", "-s", script, url],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Non-2xx" not in done.stdout, done.stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found is not None
    return float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds of fewer requests")
    options = parser.parse_args()
    requests, rounds = (30_000, 2) if options.quick else (options.requests, options.rounds)
    rows: list[tuple[float, float, float, float, float]] = []
    print(f"{'round':>6} {'requests/s':>11} {'CPU µs/request':>15} {'wrk':>9} {'ratio':>6} {'aiohttp':>9}")
    with token_server(TOKENS) as server, load_process() as load, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "request.lua"
        script.write_text("\n".join(wrk_script(*sent_by_the_engine(load))))
        load_rate(load, server.url, 2000)
        for number in range(1, rounds + 1):
            rate, cpu_us = load_rate(load, server.url, requests)
            wrk = wrk_rate(server.url, script)
            plain = aiohttp_load(server.url, SLOTS, requests // 10)
            aiohttp = len(plain["requests"]) / plain["took_s"]
            rows.append((rate, cpu_us, wrk, rate / wrk, aiohttp))
            print(
                f"{number:>6} {rate:>11,.0f} {cpu_us:>15.1f} {wrk:>9,.0f} {rate / wrk:>6.2f} {aiohttp:>9,.0f}",
                flush=True,
            )
    rate, cpu_us, wrk, ratio, aiohttp = (median(column) for column in zip(*rows, strict=True))
    figures = [
        Figure(name="requests/s, one load process", value=rate, unit="1/s", at_least=25_000, aiohttp=aiohttp),
        Figure(name="ratio to wrk", value=ratio, unit="", at_least=0.3, aiohttp=aiohttp / wrk),
        Figure(name="CPU of the load process", value=cpu_us, unit="µs/request"),
        Figure(name="wrk, the same request", value=wrk, unit="1/s"),
    ]
    publish("throughput", figures, slots=SLOTS, tokens=TOKENS, requests=requests, rounds=rounds)


if __name__ == "__main__":
    main()
