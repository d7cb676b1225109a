"""Records of a run written down by hand: only what a test is about differs from a sound run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome, RecordBatch, RunFacts
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.run_data import RunData, summarise
from pytest_aiperf.measure.run_window import RunWindow
from pytest_aiperf.metrics.base_metric import MetricContext

MS = 1_000_000
_INT32 = (
    "request_index",
    "slot",
    "error",
    "sent_bytes",
    "conversation",
    "coalesced",
    "first_tokens",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cached_tokens",
)


def config_of(**sections: Mapping[str, Any]) -> AIPerfConfig:
    """Return a configuration with these sections."""
    return AIPerfConfig.model_validate({"endpoint": {"url": "http://127.0.0.1:9", "model": "m"}} | sections)


def batch_of(
    t0_ms: Sequence[float] | np.ndarray,
    latency_ms: Sequence[float] | np.ndarray | float,
    *,
    facts: Mapping[str, Any] | None = None,
    messages: int = 4,
    **columns: Any,
) -> RecordBatch:
    """Return the records of requests that were sent then and took so long; further columns by their names.

    Columns may be scalars. Contents lie evenly in the second half of each answer.
    """
    t0 = (np.asarray(t0_ms, dtype=float) * MS).astype(np.int64)
    n = len(t0)
    latency = (np.broadcast_to(np.asarray(latency_ms, dtype=float), n) * MS).astype(np.int64)
    end = t0 + latency
    content = t0[:, None] + (latency[:, None] * np.linspace(0.5, 1.0, messages)).astype(np.int64)
    given: dict[str, Any] = {
        "request_index": np.arange(n),
        "slot": 0,
        "outcome": Outcome.OK,
        "status": 200,
        "error": ABSENT,
        "t_plan": ABSENT,
        "t0": t0,
        "t_sent": t0,
        "t_hdr": t0,
        "t_end": end,
        "t_output": content[:, 0],
        "connecting_ns": 0,
        "sent_bytes": 100,
        "received_bytes": 100,
        "conversation": ABSENT,
        "coalesced": 0,
        "first_tokens": 1,
        "input_tokens": 8,
        "output_tokens": messages,
        "reasoning_tokens": ABSENT,
        "cached_tokens": ABSENT,
        "correct": ABSENT,
    } | columns
    types = dict.fromkeys(_INT32, np.int32) | {"outcome": np.int8, "correct": np.int8, "status": np.int16}
    order = np.argsort(end, kind="stable")
    arrays = {
        name: np.broadcast_to(np.asarray(value), n)[order].astype(types.get(name, np.int64))
        for name, value in given.items()
    }
    usual: dict[str, Any] = {
        "start_ns": 1_700_000_000_000_000_000,
        "end_ns": int(end.max(initial=0)),
        "drain_ns": int(end.max(initial=0)),
        "clock_shift_ns": 0,
        "cpu_share": 0.1,
        "loop_lag_p99_ns": 0,
        "timestamps": "kernel",
        "transport": "wire",
        "concurrency": 1,
        "planned": n,
    }
    return RecordBatch(
        facts=RunFacts(**(usual | dict(facts or {}))),
        content_offsets=np.arange(0, (n + 1) * messages, messages, dtype=np.int64),
        content_ns=content[order].ravel(),
        **arrays,
    )


def run_of(batch: RecordBatch, *, warm_up: int = 0, asked_osl: int | None = 4) -> RunData:
    """Return the run, all of it measured but for the warm-up."""
    open_loop = batch.facts.open_loop
    return summarise(
        batch,
        RunWindow(warm_up=warm_up, measured=len(batch) - warm_up, open_loop=open_loop),
        context=MetricContext(streaming=True, open_loop=open_loop, asked_osl=asked_osl),
        stall_threshold_ms=None,
    )


def closed_loop(
    n: int, *, slots: int = 2, latency_ms: float = 100.0, idle_ms: Sequence[float] | np.ndarray | float = 0.1
) -> dict[str, Any]:
    """Return arguments of `batch_of`: each slot sends again so long after its last answer."""
    idle = np.broadcast_to(np.asarray(idle_ms, dtype=float), n)
    t0, slot, free = np.zeros(n), np.arange(n) % slots, np.zeros(slots)
    for i in range(n):
        t0[i] = free[slot[i]]
        free[slot[i]] += latency_ms + idle[i]
    return {"t0_ms": t0, "latency_ms": latency_ms, "slot": slot, "facts": {"concurrency": slots}}


def open_loop(
    n: int, *, gap_ms: float = 10.0, late_ms: Sequence[float] | np.ndarray | float = 0.0
) -> dict[str, Any]:
    """Return arguments of `batch_of`: one request each `gap_ms`, sent so late, each answered in 100 ms."""
    due = np.arange(n) * gap_ms
    return {
        "t0_ms": due + np.broadcast_to(np.asarray(late_ms, dtype=float), n),
        "latency_ms": 100.0,
        "t_plan": (due * MS).astype(np.int64),
        "slot": np.arange(n),
        "facts": {"open_loop": True, "concurrency": None},
    }
