"""Runs written by hand, one request at a time, as the columns that metrics read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome, RecordBatch, RunFacts

MS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Request:
    """One row; times in ms since the start of the run."""

    t0: float = 0
    content: Sequence[float] = ()
    end: float | None = None
    """None: with the last message."""
    outcome: Outcome = Outcome.OK
    first_tokens: int = 1
    input_tokens: int = ABSENT
    output_tokens: int = ABSENT
    slot: int = 0


def batch_of(*requests: Request) -> RecordBatch:
    """Return the run that these requests make."""
    n = len(requests)
    ends = [r.end if r.end is not None else (r.content[-1] if r.content else r.t0) for r in requests]
    t0 = _ns(r.t0 for r in requests)
    return RecordBatch(
        facts=RunFacts(
            start_ns=0,
            end_ns=int(max(ends, default=0) * MS),
            drain_ns=0,
            clock_shift_ns=0,
            cpu_share=0.1,
            loop_lag_p99_ns=0,
            timestamps="kernel",
            transport="by hand",
            concurrency=1,
            planned=n,
        ),
        request_index=np.arange(n, dtype=np.int32),
        slot=np.array([r.slot for r in requests], dtype=np.int32),
        outcome=np.array([r.outcome for r in requests], dtype=np.int8),
        status=np.full(n, 200, dtype=np.int16),
        error=np.full(n, ABSENT, dtype=np.int32),
        t_plan=t0,
        t0=t0,
        t_sent=t0,
        t_hdr=t0,
        t_end=_ns(ends),
        t_output=_ns(r.content[0] if r.content else ABSENT / MS for r in requests),
        connecting_ns=np.zeros(n, dtype=np.int64),
        sent_bytes=np.full(n, 500, dtype=np.int32),
        received_bytes=np.full(n, 2000, dtype=np.int64),
        conversation=np.full(n, ABSENT, dtype=np.int32),
        content_offsets=np.cumsum([0, *(len(r.content) for r in requests)]).astype(np.int64),
        content_ns=_ns(c for r in requests for c in r.content),
        coalesced=np.zeros(n, dtype=np.int32),
        first_tokens=np.array([r.first_tokens for r in requests], dtype=np.int32),
        input_tokens=np.array([r.input_tokens for r in requests], dtype=np.int32),
        output_tokens=np.array([r.output_tokens for r in requests], dtype=np.int32),
        reasoning_tokens=np.full(n, ABSENT, dtype=np.int32),
        cached_tokens=np.full(n, ABSENT, dtype=np.int32),
    )


def _ns(times_ms) -> np.ndarray:
    return np.array([round(t * MS) for t in times_ms], dtype=np.int64)
