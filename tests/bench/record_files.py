"""What `--aiperf-artifacts` costs: time, size and memory of the file of a run of 1 000 000 requests.

    python tests/bench/record_files.py [--requests N] [--quick]

The records are made up: 16 messages a request, one in a thousand failed. Writing goes on between two runs, never beside
one. The memory is what the process takes at its peak beyond what it held before, the records themselves included there.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from figures import Figure, publish
from memory import peak_mb

from pytest_aiperf.common.records import ABSENT, ErrorGroup, Outcome, RecordBatch, RunFacts
from pytest_aiperf.exporters.records import write_records
from pytest_aiperf.measure.run_data import RunData, summarise
from pytest_aiperf.measure.run_window import RunWindow
from pytest_aiperf.metrics.base_metric import MetricContext

MESSAGES = 16
_INT32 = ("slot", "coalesced", "input_tokens", "output_tokens", "sent_bytes")


def made_up(n: int) -> RecordBatch:
    """Records of so many requests, each sent 50 us after the one before it."""
    t0 = np.arange(n, dtype=np.int64) * 50_000
    content = (t0[:, None] + 40_000_000 + np.arange(MESSAGES) * 5_123_457).ravel()
    failed = np.arange(n) % 1000 == 999
    end = t0 + 120_000_000
    nothing = np.full(n, ABSENT, dtype=np.int32)
    facts = RunFacts(
        start_ns=1_700_000_000_000_000_000,
        end_ns=int(end[-1]),
        drain_ns=int(end[-1]),
        clock_shift_ns=0,
        cpu_share=0.5,
        loop_lag_p99_ns=0,
        timestamps="kernel",
        transport="wire",
        concurrency=64,
        planned=n,
    )
    return RecordBatch(
        facts=facts,
        request_index=np.arange(n, dtype=np.int32),
        outcome=np.where(failed, Outcome.ERROR, Outcome.OK).astype(np.int8),
        status=np.where(failed, 503, 200).astype(np.int16),
        error=np.where(failed, 0, ABSENT).astype(np.int32),
        t_plan=np.full(n, ABSENT, dtype=np.int64),
        t0=t0,
        t_sent=t0 + 12_345,
        t_hdr=t0 + 1_234_567,
        t_end=end,
        t_output=content[::MESSAGES],
        connecting_ns=np.zeros(n, dtype=np.int64),
        received_bytes=np.full(n, 2000, dtype=np.int64),
        conversation=nothing,
        content_offsets=np.arange(0, (n + 1) * MESSAGES, MESSAGES, dtype=np.int64),
        content_ns=content,
        first_tokens=np.ones(n, dtype=np.int32),
        reasoning_tokens=nothing,
        cached_tokens=nothing,
        correct=nothing.astype(np.int8),
        errors=(ErrorGroup(type="http", code=503, message="busy", count=int(failed.sum())),),
        **{name: np.full(n, MESSAGES, dtype=np.int32) for name in _INT32},
    )


def run_of(n: int) -> RunData:
    """A run of these records, all of it measured."""
    window = RunWindow(warm_up=0, measured=n, open_loop=False)
    return summarise(made_up(n), window, context=MetricContext(streaming=True), stall_threshold_ms=None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    options = parser.parse_args()
    requests = options.requests // 10 if options.quick else options.requests
    data = run_of(requests)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run-1.jsonl"
        before_mb = peak_mb(os.getpid())
        began = time.perf_counter()
        with path.open("wb") as file:
            write_records(file, data)
        took_s = time.perf_counter() - began
        size_mb = path.stat().st_size / 1e6
    figures = [
        Figure(name=f"writing {requests:,} requests", value=took_s, unit="s"),
        Figure(name="by request", value=took_s / requests * 1e6, unit="us"),
        Figure(name="size of the file", value=size_mb, unit="MB"),
        Figure(
            name="peak of the process beyond before",
            value=peak_mb(os.getpid()) - before_mb,
            unit="MB",
            at_most=100,
        ),
    ]
    publish("record_files", figures, requests=requests, messages=MESSAGES)


if __name__ == "__main__":
    main()
