"""The columns of a run: taken apart, carried over, put together again."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.common.records import ABSENT, ErrorGroup, RecordBatch, RunFacts

FACTS = RunFacts(
    start_ns=1_700_000_000_000_000_000,
    end_ns=5,
    drain_ns=4,
    clock_shift_ns=-3,
    cpu_share=0.25,
    loop_lag_p99_ns=7,
    timestamps="kernel",
    transport="wire",
    concurrency=2,
    planned=3,
    reopened=1,
    cut_short="the time was up",
)
COLUMNS = {f.name: f.type for f in fields(RecordBatch) if f.name not in ("facts", "errors")}
WIDTHS = {"Int64": np.int64, "Int32": np.int32, "Int16": np.int16, "Int8": np.int8}


def batch_of(counts, *, errors=()):
    """Rows with so many content messages each; every other column counts up from its own start."""
    n, offsets = len(counts), np.cumsum([0, *counts])
    columns = {
        name: np.arange(i, i + n, dtype=WIDTHS[kind]) % 100 for i, (name, kind) in enumerate(COLUMNS.items())
    }
    columns["content_offsets"] = offsets.astype(np.int64)
    columns["content_ns"] = 1000 + np.arange(offsets[-1], dtype=np.int64)
    return RecordBatch(facts=FACTS, errors=errors, **columns)


def carried_over(batch):
    """As through a pipe: a JSON text and plain bytes."""
    header, buffers = batch.to_buffers()
    return RecordBatch.from_buffers(json.loads(json.dumps(header)), [bytes(b) for b in buffers])


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=8))
def test_a_batch_survives_being_carried_over(counts):
    errors = (ErrorGroup(type="http", code=503, message="busy", count=2),)
    batch = batch_of(counts, errors=errors)
    again = carried_over(batch)
    assert again.facts == batch.facts
    assert again.errors == errors
    for name in COLUMNS:
        before, after = getattr(batch, name), getattr(again, name)
        assert before.dtype == after.dtype, name
        assert before.tolist() == after.tolist(), name


def test_an_empty_batch_has_no_rows_and_survives():
    again = carried_over(batch_of([]))
    assert len(again) == 0
    assert again.content_count().tolist() == []
    assert again.content_at(0).tolist() == again.content_at(-1).tolist() == []


def test_columns_that_are_not_contiguous_are_carried_over_all_the_same():
    batch = batch_of([1, 2, 3])
    every_other = RecordBatch(
        **{f.name: getattr(batch, f.name) for f in fields(batch)} | {"t0": np.arange(6, dtype=np.int64)[::2]}
    )
    assert carried_over(every_other).t0.tolist() == [0, 2, 4]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=8), st.integers(-6, 6))
def test_the_kth_content_stamp_is_that_of_the_kth_message(counts, k):
    batch = batch_of(counts)
    rows = np.split(batch.content_ns, batch.content_offsets[1:-1]) if counts else []
    expected = [int(row[k]) if -len(row) <= k < len(row) else ABSENT for row in rows]
    assert batch.content_at(k).tolist() == expected


def test_stamps_are_int64_and_hold_a_day_in_nanoseconds():
    batch = batch_of([1])
    day = 86_400 * 10**9
    batch.t_end[0] = day
    assert carried_over(batch).t_end.tolist() == [day]


def test_a_request_costs_at_most_400_bytes_and_a_message_8():
    n, m = 1000, 32
    _, none = batch_of([0] * n).to_buffers()
    _, many = batch_of([m] * n).to_buffers()
    size, size_with_messages = sum(b.nbytes for b in none), sum(b.nbytes for b in many)
    assert size <= 400 * n
    assert size_with_messages - size <= 8 * m * n


def test_a_lost_buffer_is_noticed():
    header, buffers = batch_of([1, 2]).to_buffers()
    with pytest.raises(ValueError, match="zip"):
        RecordBatch.from_buffers(header, buffers[:-1])
