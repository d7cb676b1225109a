"""Runs written by hand, one request at a time, as the columns that metrics read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome, RecordBatch, RunFacts
from pytest_aiperf.metrics.base_metric import MetricContext, Window
from pytest_aiperf.metrics.run_columns import RunColumns

MS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Request:
    """One row; times in ms since the start of the run, None for a stamp that was never taken."""

    t0: float = 0
    content: Sequence[float] = ()
    end: float | None = None
    """None: with the last message."""
    outcome: Outcome = Outcome.OK
    t_plan: float | None = None
    t_sent: float | None = None
    """None: with `t0`."""
    t_hdr: float | None = None
    """None: with `t_sent`."""
    t_output: float | None = None
    """None: with the first message with content."""
    connecting: float = 0
    sent_bytes: int = 500
    received_bytes: int = 2000
    first_tokens: int = 1
    input_tokens: int = ABSENT
    output_tokens: int = ABSENT
    reasoning_tokens: int = ABSENT
    cached_tokens: int = ABSENT
    correct: int = ABSENT
    slot: int = 0
    index: int | None = None
    """Place in the plan; None: as listed."""

    @property
    def ended(self) -> float:
        """When it ended."""
        return self.end if self.end is not None else (self.content[-1] if self.content else self.t0)

    @property
    def sent(self) -> float:
        """When its last byte was sent."""
        return self.t0 if self.t_sent is None else self.t_sent

    @property
    def answered(self) -> float:
        """When the head of its answer was complete."""
        return self.sent if self.t_hdr is None else self.t_hdr

    @property
    def spoke(self) -> float | None:
        """When its first output that is not reasoning came."""
        return self.t_output if self.t_output is not None else next(iter(self.content), None)


def batch_of(*requests: Request) -> RecordBatch:
    """Return the run that these requests make."""
    n = len(requests)

    def counts(name: str, dtype: type = np.int32) -> np.ndarray:
        return np.array([getattr(r, name) for r in requests], dtype=dtype)

    return RecordBatch(
        facts=RunFacts(
            start_ns=0,
            end_ns=int(max((r.ended for r in requests), default=0) * MS),
            drain_ns=0,
            clock_shift_ns=0,
            cpu_share=0.1,
            loop_lag_p99_ns=0,
            timestamps="kernel",
            transport="by hand",
            concurrency=1,
            planned=n,
        ),
        request_index=np.array(
            [i if r.index is None else r.index for i, r in enumerate(requests)], dtype=np.int32
        ),
        slot=counts("slot"),
        outcome=counts("outcome", np.int8),
        status=np.full(n, 200, dtype=np.int16),
        error=np.full(n, ABSENT, dtype=np.int32),
        t_plan=_ns(r.t_plan for r in requests),
        t0=_ns(r.t0 for r in requests),
        t_sent=_ns(r.sent for r in requests),
        t_hdr=_ns(r.answered for r in requests),
        t_end=_ns(r.ended for r in requests),
        t_output=_ns(r.spoke for r in requests),
        connecting_ns=_ns(r.connecting for r in requests),
        sent_bytes=counts("sent_bytes"),
        received_bytes=counts("received_bytes", np.int64),
        conversation=np.full(n, ABSENT, dtype=np.int32),
        content_offsets=np.cumsum([0, *(len(r.content) for r in requests)]).astype(np.int64),
        content_ns=_ns(c for r in requests for c in r.content),
        coalesced=np.zeros(n, dtype=np.int32),
        first_tokens=counts("first_tokens"),
        input_tokens=counts("input_tokens"),
        output_tokens=counts("output_tokens"),
        reasoning_tokens=counts("reasoning_tokens"),
        cached_tokens=counts("cached_tokens"),
        correct=counts("correct", np.int8),
    )


def columns_of(
    *requests: Request,
    window_ms: tuple[float, float] = (0, 0),
    rows: Sequence[int] | slice = slice(None),
    **context: object,
) -> RunColumns:
    """Return what metrics read of the run that these requests make."""
    window = Window(*(round(edge * MS) for edge in window_ms))
    picked = rows if isinstance(rows, slice) else np.array(rows, dtype=np.intp)
    return RunColumns(batch_of(*requests), rows=picked, window=window, context=MetricContext(**context))


def _ns(times_ms) -> np.ndarray:
    return np.array([ABSENT if t is None else round(t * MS) for t in times_ms], dtype=np.int64)
