"""How long it takes from the records of a run to its summary, and to every statistic of every metric.

    python tests/bench/summary.py [--requests N] [--rounds N] [--quick]

The records are made up: streams of 16 messages from 64 slots, in the order of completion, usage told. The summary is
what the judge reads and a baseline keeps: the steady window, its metrics, their percentiles with the variances within
the run, histograms. Everything else is computed when the result is asked for it. No process, no network.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from figures import Figure, publish

from pytest_aiperf.common.records import ABSENT, RecordBatch, RunFacts
from pytest_aiperf.measure.run_data import RunData, pooled_levels, pooled_values, summarise
from pytest_aiperf.measure.run_window import RunWindow
from pytest_aiperf.metrics.base_metric import BaseLevelMetric, BaseRecordMetric, MetricContext
from pytest_aiperf.metrics.goodput import parse_slos
from pytest_aiperf.metrics.registry import STATISTICS, all_metrics
from pytest_aiperf.metrics.statistics import LevelStatistics, ValueStatistics

MESSAGES = 16
SLOTS = 64
GOAL_REQUESTS = 1_000_000


def records(n: int) -> RecordBatch:
    rng = np.random.default_rng(1)
    ttft_ns = rng.lognormal(np.log(50e6), 0.2, n).astype(np.int64)
    gap_ns = rng.lognormal(np.log(5e6), 0.1, n).astype(np.int64)
    latency_ns = ttft_ns + gap_ns * (MESSAGES - 1)
    end_ns = 200_000_000 + np.cumsum(latency_ns // SLOTS)
    t0 = end_ns - latency_ns
    content_ns = (t0 + ttft_ns)[:, None] + gap_ns[:, None] * np.arange(MESSAGES)
    arrays = {
        "request_index": np.arange(n, dtype=np.int32),
        "slot": (np.arange(n) % SLOTS).astype(np.int32),
        "outcome": np.zeros(n, dtype=np.int8),
        "status": np.full(n, 200, dtype=np.int16),
        "t0": t0,
        "t_plan": np.full(n, ABSENT, dtype=np.int64),
        "t_sent": t0 + 20_000,
        "t_hdr": t0 + ttft_ns - 100_000,
        "t_end": end_ns + 50_000,
        "t_output": t0 + ttft_ns,
        "connecting_ns": np.zeros(n, dtype=np.int64),
        "received_bytes": rng.integers(4000, 5000, n),
        "content_offsets": np.arange(0, (n + 1) * MESSAGES, MESSAGES),
        "content_ns": content_ns.ravel(),
    }
    counts = {
        "sent_bytes": 700,
        "input_tokens": 128,
        "output_tokens": MESSAGES,
        "first_tokens": 1,
        "coalesced": 0,
    }
    absent = ("error", "conversation", "reasoning_tokens", "cached_tokens")
    for name, count in (counts | dict.fromkeys(absent, ABSENT)).items():
        arrays[name] = np.full(n, count, dtype=np.int32)
    arrays["correct"] = np.full(n, ABSENT, dtype=np.int8)
    facts = RunFacts(
        start_ns=1_700_000_000_000_000_000,
        end_ns=int(arrays["t_end"][-1]),
        drain_ns=int(arrays["t_end"][-1]),
        clock_shift_ns=0,
        cpu_share=0.5,
        loop_lag_p99_ns=0,
        timestamps="kernel",
        transport="made up",
        concurrency=SLOTS,
        planned=n,
    )
    return RecordBatch(facts=facts, **arrays)


def summary(batch: RecordBatch) -> RunData:
    measured = len(batch) - 3 * SLOTS
    return summarise(
        batch,
        RunWindow(warm_up=2 * SLOTS, measured=measured),
        context=MetricContext(asked_osl=MESSAGES, slos=parse_slos("ttft:60 itl:6")),
        stall_threshold_ms=200.0,
    )


def statistics(run: RunData) -> int:
    """Every statistic of every metric; returns how many metrics there were."""
    values = {tag: found for tag, found in pooled_values([run]).items() if found.size}
    every = [
        ValueStatistics(found, nearest_rank=isinstance(metric, BaseRecordMetric) and metric.counts_failed)
        for tag, found in values.items()
        if (metric := all_metrics()[tag])
    ]
    every += [LevelStatistics(levels) for levels in pooled_levels([run]).values()]
    for one in every:
        _ = one.count, one.sum, one.avg, one.min, one.max, one.std
        for name in STATISTICS[1:]:
            one.percentile(float(name[1:]))
    return len(every)


def slowest(run: RunData, most: int = 5) -> str:
    """Return the metrics whose values alone take longest, each computed on what others have left."""
    took = {}
    for tag, metric in all_metrics().items():
        if metric.applies_to(run.columns.context):
            began = time.perf_counter()
            if isinstance(metric, BaseLevelMetric):
                metric.levels(run.columns)
            else:
                _ = run.values[tag]
            took[tag] = time.perf_counter() - began
    worst = sorted(took, key=lambda tag: -took[tag])[:most]
    return ", ".join(f"{tag} {took[tag] * 1e3:.0f} ms" for tag in worst)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=GOAL_REQUESTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests, which has no goal")
    options = parser.parse_args()
    n = options.requests // 10 if options.quick else options.requests
    batch = records(n)
    all_metrics()
    rounds = []
    print(f"{'round':>5} {'summary s':>10} {'everything else s':>18}")
    for number in range(1, options.rounds + 1):
        began = time.perf_counter()
        run = summary(batch)
        summarised = time.perf_counter()
        found = statistics(run)
        rounds.append((summarised - began, time.perf_counter() - summarised))
        print(f"{number:>5} {rounds[-1][0]:>10.3f} {rounds[-1][1]:>18.3f}", flush=True)
    print(f"slowest values: {slowest(summary(batch))}")
    to_summary_s, to_rest_s = (median(column) for column in zip(*rounds, strict=True))
    figures = [
        Figure(
            name=f"{n:,} requests of {MESSAGES} messages to a run summary: median",
            value=to_summary_s,
            unit="s",
            at_most=1.0 if n >= GOAL_REQUESTS else None,
        ),
        Figure(name=f"and to every statistic of {found} metrics: median", value=to_rest_s, unit="s"),
    ]
    publish("summary", figures, requests=n, messages=MESSAGES, metrics=found)


if __name__ == "__main__":
    main()
