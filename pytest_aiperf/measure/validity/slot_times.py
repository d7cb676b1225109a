"""When a request could have been sent, and how late it was: the client's own part of every delay, from the records.

A request could be sent when its time had come, its slot had become free and the turn before it had ended. What lies
between that moment and its first byte is the load process's doing, whatever the server did before. Opening a
connection is not counted: a server takes part in it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import ABSENT, Int32, Int64, RecordBatch
from pytest_aiperf.metrics.base_metric import Window


def turnarounds_ns(batch: RecordBatch, window: Window) -> Int64:
    """Return ``(k,)``: from the end of a request to the next send in its slot, of the sends in the window."""
    before = _end_before(batch, batch.slot)
    known = (before != ABSENT) & (batch.t0 >= window.start_ns) & (batch.t0 <= window.end_ns)
    gaps: Int64 = np.maximum(begun_ns(batch) - before, 0)[known]
    return gaps


def could_be_sent_ns(batch: RecordBatch, *, turn_delay_ns: int = 0) -> Int64:
    """Return ``(n,)``: when each request of a schedule could have been sent; `ABSENT` without a due time.

    Slots of an open loop without a limit are only numbers, and nothing waits for them.
    """
    turn_before = _end_before(batch, batch.conversation)
    could = np.maximum(batch.t_plan, np.where(turn_before == ABSENT, ABSENT, turn_before + turn_delay_ns))
    if batch.facts.concurrency is not None:
        could = np.maximum(could, _end_before(batch, batch.slot))
    out: Int64 = np.where((batch.t_plan == ABSENT) | (batch.t0 == ABSENT), ABSENT, could)
    return out


def in_flight(batch: RecordBatch, window: Window) -> float | None:
    """Return how many requests were in flight on average over the window; None for an empty one.

    This is the L of Little's law by its definition. The product of rate and mean latency only estimates it: requests
    that began before the window count whole in it, and those that end after it not at all.
    """
    length_ns = window.end_ns - window.start_ns
    if length_ns <= 0:
        return None
    sent = batch.t0 != ABSENT
    busy_ns = np.minimum(batch.t_end, window.end_ns) - np.maximum(begun_ns(batch), window.start_ns)
    return float(busy_ns[sent].clip(0).sum() / length_ns)


def begun_ns(batch: RecordBatch) -> Int64:
    """Return ``(n,)``: when the load process took each request in hand; a connection is opened after that."""
    begun: Int64 = batch.t0 - batch.connecting_ns
    return begun


def _end_before(batch: RecordBatch, group: Int32) -> Int64:
    """Return ``(n,)``: the end of the request sent before in the same group; `ABSENT` for a first or ungrouped one."""
    sent = np.flatnonzero((batch.t0 != ABSENT) & (group != ABSENT))
    order: npt.NDArray[np.intp] = sent[np.lexsort((batch.t0[sent], group[sent]))]
    ends = np.full(len(batch), ABSENT, dtype=np.int64)
    follows = group[order][1:] == group[order][:-1]
    ends[order[1:][follows]] = batch.t_end[order[:-1][follows]]
    return ends
