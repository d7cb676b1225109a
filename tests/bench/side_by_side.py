"""What well-known load generators report of the same server at the same load, beside the truth.

    python tests/bench/side_by_side.py [--aiperf PATH] [--guidellm PATH] [--streams N] [--requests N] [--quick]

AIPerf and GuideLLM as they come from PyPI, each in a virtual environment of its own (they are not dependencies); PATH
is the command in there, else it is looked for on PATH, and a tool that is not found is left out. Made with AIPerf 0.13
and GuideLLM 0.8. Every tool is compared with the server's own log of that tool's requests (truth_server.c: 64 tokens
5 ms apart, the first after 50 ms). The tools count tokens with a tokenizer of a few hundred made-up words, written
here: nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from clients import BODY, METRICS, aiohttp_load, load_process, reported
from figures import Figure, publish
from truth_server import TruthServer, truth_server

from pytest_aiperf.engine.plan import LoadPlan

TOKENS, FIRST_MS, GAP_MS = 64, 50.0, 5.0
DEADLINE_S = 300
WRITE_TOKENIZER = """
import sys
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
words = ["<unk>", "token", *(f"w{i}" for i in range(500))]
model = models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
tokenizer = Tokenizer(model)
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(sys.argv[1])
"""
Quantiles = dict[str, float]
"""`ttft_p50`, `ttft_p99` and so on, in ms."""


def run(command: Sequence[object], folder: Path) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}"


def write_tokenizer(tool: Path, folder: Path) -> Path:
    """Write it with the Python of the tool's environment, which has the packages."""
    path = folder / "tokenizer"
    run([tool.resolve().parent / "python", "-c", WRITE_TOKENIZER, path], folder)
    return path


def aiperf(tool: Path, folder: Path, url: str, streams: int, requests: int) -> Quantiles:
    tokenizer = write_tokenizer(tool, folder)
    where = ["--model", "m", "--url", url, "--endpoint-type", "chat", "--streaming", "--tokenizer", tokenizer]
    load = ["--concurrency", streams, "--request-count", requests]
    size = ["--synthetic-input-tokens-mean", 100, "--output-tokens-mean", TOKENS]
    run([tool, "profile", *where, *load, *size, "--artifact-dir", folder / "out", "--ui", "none"], folder)
    report = json.loads((folder / "out" / "profile_export_aiperf.json").read_text())
    return {f"{name}_{q}": report[tag][q] for name, tag in METRICS.items() for q in ("p50", "p99")}


def guidellm(tool: Path, folder: Path, url: str, streams: int, requests: int) -> Quantiles:
    tokenizer = write_tokenizer(tool, folder)
    where = [
        "--backend",
        f"kind=openai_http,target={url},model=m",
        "--tokenizer",
        f"kind=hf_auto,model={tokenizer}",
    ]
    load = [
        "--profile",
        f"kind=concurrent,streams={streams}",
        "--constraint",
        f"kind=max_requests,count={requests}",
    ]
    size = ["--data", f"kind=synthetic_text,prompt_tokens=100,output_tokens={TOKENS}"]
    report = folder / "report.json"
    run(
        [tool, "run", *where, *load, *size, "--output", f"kind=json,path={report}", "--disable-console"],
        folder,
    )
    metrics = json.loads(report.read_text())["benchmarks"][0]["metrics"]
    names = {
        "ttft": ("time_to_first_token_ms", 1),
        "itl": ("inter_token_latency_ms", 1),
        "latency": ("request_latency", 1000),
    }
    return {
        f"{name}_{q}": metrics[tag]["successful"]["percentiles"][q] * scale
        for name, (tag, scale) in names.items()
        for q in ("p50", "p99")
    }


def ours(server: TruthServer, streams: int, requests: int) -> Quantiles:
    with load_process() as load:
        batch = load.run(LoadPlan(url=server.url, bodies=[BODY] * requests, concurrency=streams))
    return quantiles(reported(batch))


def plain(server: TruthServer, streams: int, requests: int) -> Quantiles:
    rows = aiohttp_load(server.url, streams, requests)["requests"]
    return quantiles({name: [row[f"{name}_ms"] for row in rows] for name in METRICS})


def truth(log: Sequence[dict[str, Any]]) -> Quantiles:
    """Of complete answers: some tools send one request more and hang up on it."""
    log = [row for row in log if len(row["sent_ns"]) == TOKENS]
    received = np.array([row["t_recv_ns"] for row in log])
    sent = np.array([row["sent_ns"] for row in log])
    first_ms, last_ms = ((sent[:, k] - received) / 1e6 for k in (0, -1))
    return quantiles({"ttft": first_ms, "itl": (last_ms - first_ms) / (TOKENS - 1), "latency": last_ms})


def quantiles(columns: dict[str, Any]) -> Quantiles:
    return {f"{name}_p{q}": float(np.percentile(v, q)) for name, v in columns.items() for q in (50, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("aiperf", "guidellm"):
        parser.add_argument(f"--{name}", default=shutil.which(name), metavar="PATH")
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--requests", type=int, default=1024)
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    options = parser.parse_args()
    streams, requests = options.streams, 256 if options.quick else options.requests
    figures = []
    print(f"{streams} streams, {requests} requests: reported (true), ms")
    print(f"{'':<14}" + "".join(f"{f'{m} {q}':>20}" for m in METRICS for q in ("p50", "p99")))
    with (
        tempfile.TemporaryDirectory() as name,
        truth_server(tokens=TOKENS, first_ms=FIRST_MS, gap_ms=GAP_MS) as server,
    ):
        tools: dict[str, Callable[[], Quantiles]] = {
            "pytest-aiperf": lambda: ours(server, streams, requests),
            "aiohttp": lambda: plain(server, streams, requests),
        }
        for title, tool in (("AIPerf", aiperf), ("GuideLLM", guidellm)):
            command = getattr(options, tool.__name__)
            if command is None:
                print(
                    f"{title} is left out: no command `{tool.__name__}`; give its path with --{tool.__name__}"
                )
                continue
            folder = Path(name) / tool.__name__
            folder.mkdir()
            tools[title] = lambda tool=tool, command=command, folder=folder: tool(
                Path(command), folder, server.server.base_url, streams, requests
            )
        for title, measure in tools.items():
            server.take_log()
            began = time.perf_counter()
            said = measure()
            took_s = time.perf_counter() - began
            true = truth(server.take_log())
            cells = "".join(f"{f'{said[key]:.2f} ({true[key]:.2f})':>20}" for key in true)
            print(f"{title:<14}{cells}   in {took_s:.1f} s", flush=True)
            figures += [
                Figure(name=f"{title}: TTFT {q} off by", value=abs(said[k] - true[k]), unit="ms")
                for q, k in (("p50", "ttft_p50"), ("p99", "ttft_p99"))
            ]
    publish("side_by_side", figures, streams=streams, requests=requests)


if __name__ == "__main__":
    main()
