"""What the load engine reports against what the server did: TTFT and ITL of the same requests, from both sides.

    python tests/bench/fidelity.py [--streams 16 64 128 ...]

Streams of 64 tokens, 5 ms apart, the first after 50 ms, from the mock server, which logs when each token was handed
to its socket. Truth is the server's: first token sent minus request received. Prints a table and a JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import subprocess
import sys

import numpy as np

from pytest_aiperf.engine import LoadPlan, run_load
from pytest_aiperf.engine.loop import run
from pytest_aiperf.engine.request_bytes import request_number

TOKENS = 64
SERVE = """
import json, sys
from pytest_aiperf.mock_server.listener import listen
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.mock_server.server import MockServer
from pytest_aiperf.engine.request_bytes import request_number
server = MockServer(MockOptions.from_dict(json.loads(sys.argv[1])), listen())
print(server.port, flush=True)
server.run(stop_fd=0)
"""


@contextlib.contextmanager
def mock_server():
    options = {"ttft_ms": 50.0, "itl_ms": 5.0, "osl": TOKENS}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield int(server.stdout.readline())
    finally:
        server.communicate(timeout=10)


def ask(port: int, method: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, "/log")
        return connection.getresponse().read()


def measure(port: int, streams: int) -> dict[str, float]:
    """Return the quantiles of both sides in ms, and of the difference by request."""
    ask(port, "DELETE")
    body = json.dumps(
        {
            "model": "mock",
            "messages": [{"role": "user", "content": "x" * 400}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": TOKENS,
        }
    ).encode()
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    batch = run(run_load(LoadPlan(url=url, bodies=[body] * (streams * 8), concurrency=streams)))
    assert not batch.errors, batch.errors
    log = {request_number(row["id"]): row for row in json.loads(ask(port, "GET"))["requests"]}
    rows = [log[i] for i in batch.request_index.tolist()]
    true_ttft = np.array([row["sent_ns"][0] - row["t_recv_ns"] for row in rows]) / 1e6
    true_itl = np.array([(row["sent_ns"][-1] - row["sent_ns"][0]) / (TOKENS - 1) for row in rows]) / 1e6
    ttft = (batch.content_at(0) - batch.t0) / 1e6
    itl = (batch.content_at(-1) - batch.content_at(0)) / (batch.output_tokens - 1) / 1e6
    figures = {}
    for name, values in (("ttft", ttft), ("true_ttft", true_ttft), ("itl", itl), ("true_itl", true_itl)):
        for q in (50, 99):
            figures[f"{name}_p{q}"] = float(np.percentile(values, q))
    figures["coalesced_pct"] = float(batch.coalesced.sum() / len(batch.content_ns) * 100)
    figures["cpu_pct"] = batch.facts.cpu_share * 100
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, nargs="+", default=[16, 64, 128, 256, 512])
    options = parser.parse_args()
    results = {}
    print(
        "         TTFT p50 (true)      TTFT p99 (true)      ITL p50 (true)       ITL p99 (true)      coalesced  CPU"
    )
    with mock_server() as port:
        for streams in options.streams:
            f = results[streams] = measure(port, streams)
            pairs = [
                f"{f[f'{m}_p{q}']:8.3f} ({f[f'true_{m}_p{q}']:8.3f})"
                for m in ("ttft", "itl")
                for q in (50, 99)
            ]
            print(
                f"{streams:>5}  " + "  ".join(pairs) + f"  {f['coalesced_pct']:7.2f} %  {f['cpu_pct']:4.0f} %"
            )
    print(json.dumps({"benchmark": "fidelity", "tokens": TOKENS, "streams": results}))


if __name__ == "__main__":
    main()
