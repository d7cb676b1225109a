"""PYTEST_DONT_REWRITE. The records of several load processes, put together as if one had sent all requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pytest_aiperf.common.records import ABSENT, ErrorGroup, Int32, Int64, RecordBatch, RunFacts

_PLAIN: Final = (
    "request_index",
    "outcome",
    "status",
    "connecting_ns",
    "sent_bytes",
    "received_bytes",
    "conversation",
    "coalesced",
    "first_tokens",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "correct",
)
_STAMPS: Final = ("t_plan", "t0", "t_sent", "t_hdr", "t_end", "t_output")


def merge_records(batches: Sequence[RecordBatch], same_as: Callable[[str], str]) -> RecordBatch:
    """Return the rows of all batches in the order of their completion.

    Stamps count from the earliest start, and slots do not overlap; `request_index` is taken as it is. Failures are
    grouped anew: those of one type and code whose messages `same_as` maps to one text are one group.

    Takes the place of its result and once more the content stamps of one batch.
    """
    start_ns = min(batch.facts.start_ns for batch in batches)
    shifts = [batch.facts.start_ns - start_ns for batch in batches]
    errors, error = _regrouped(batches, same_as)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(batch, name) for batch in batches]) for name in _PLAIN
    }
    for name in _STAMPS:
        columns[name] = np.concatenate(
            [_shifted(getattr(batch, name), shift) for batch, shift in zip(batches, shifts, strict=True)]
        )
    columns["slot"] = _slots(batches)
    columns["error"] = error
    order = np.argsort(columns["t_end"], kind="stable")
    offsets, content_ns = _contents(batches, shifts, order)
    return RecordBatch(
        facts=_facts([batch.facts for batch in batches], start_ns),
        content_offsets=offsets,
        content_ns=content_ns,
        errors=errors,
        **{name: column[order] for name, column in columns.items()},
    )


def _shifted(stamps: Int64, shift_ns: int) -> Int64:
    return np.where(stamps == ABSENT, ABSENT, stamps + shift_ns)


def _slots(batches: Sequence[RecordBatch]) -> Int32:
    columns, taken = [], 0
    for batch in batches:
        columns.append(batch.slot + np.int32(taken))
        in_use = int(batch.slot.max()) + 1 if len(batch) else 0
        taken += max(batch.facts.concurrency or 0, in_use)
    return np.concatenate(columns)


def _contents(
    batches: Sequence[RecordBatch], shifts: Sequence[int], order: np.ndarray[Any, np.dtype[np.intp]]
) -> tuple[Int64, Int64]:
    """Return offsets and content stamps of the rows in this order.

    The rows of a batch keep their order among themselves, so each batch is laid out by itself, in its gaps.
    """
    counts = np.concatenate([batch.content_count() for batch in batches])
    offsets = np.concatenate(([0], np.cumsum(counts[order]))).astype(np.int64)
    new_start = np.empty(len(order), dtype=np.int64)
    new_start[order] = offsets[:-1]
    content_ns = np.empty(int(offsets[-1]), dtype=np.int64)
    first = 0
    for batch, shift_ns in zip(batches, shifts, strict=True):
        moved = new_start[first : first + len(batch)] - batch.content_offsets[:-1]
        where = np.repeat(moved, batch.content_count())
        where += np.arange(len(where))
        content_ns[where] = batch.content_ns + shift_ns
        first += len(batch)
    return offsets, content_ns


def _regrouped(
    batches: Sequence[RecordBatch], same_as: Callable[[str], str]
) -> tuple[tuple[ErrorGroup, ...], Int32]:
    index_of: dict[tuple[str, int | None, str], int] = {}
    groups: list[ErrorGroup] = []
    columns = []
    for batch in batches:
        new_index = [ABSENT]  # where an absent one, -1, finds it from the end
        for position, group in enumerate(batch.errors):
            index = index_of.setdefault((group.type, group.code, same_as(group.message)), len(groups))
            if index == len(groups):
                groups.append(group)
            else:
                groups[index] = replace(groups[index], count=groups[index].count + group.count)
            new_index.insert(position, index)
        columns.append(np.array(new_index, dtype=np.int32)[batch.error])
    return tuple(groups), np.concatenate(columns)


def _facts(facts: Sequence[RunFacts], start_ns: int) -> RunFacts:
    limits = [f.concurrency for f in facts]
    planned = [f.planned for f in facts]
    cut = [f.cut_short for f in facts if f.cut_short is not None]
    kinds = {f.timestamps for f in facts}
    return replace(
        facts[0],
        start_ns=start_ns,
        end_ns=max(f.start_ns + f.end_ns for f in facts) - start_ns,
        drain_ns=min(f.start_ns + f.drain_ns for f in facts) - start_ns,
        clock_shift_ns=max((f.clock_shift_ns for f in facts), key=abs),
        cpu_share=max(f.cpu_share for f in facts),
        loop_lag_p99_ns=max(f.loop_lag_p99_ns for f in facts),
        timestamps=kinds.pop() if len(kinds) == 1 else "mixed",
        concurrency=_sum(limits),
        planned=_sum(planned),
        workers=len(facts),
        late_start_ns=max(f.late_start_ns for f in facts),
        reopened=sum(f.reopened for f in facts),
        cut_short=f"in {len(cut)} of {len(facts)} load processes: {' / '.join(cut)}" if cut else None,
    )


def _sum(numbers: Sequence[int | None]) -> int | None:
    given = [n for n in numbers if n is not None]
    return sum(given) if len(given) == len(numbers) else None
