"""The records of several processes put together: every row is there, and the clock is one."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.common.record_merge import merge_records
from pytest_aiperf.common.records import ABSENT, ErrorGroup, Outcome, RecordBatch, RunFacts

START_NS = 1_700_000_000_000_000_000
KINDS = {
    f.name: {"Int64": np.int64, "Int32": np.int32, "Int16": np.int16, "Int8": np.int8}[f.type]
    for f in fields(RecordBatch)
    if f.name not in ("facts", "errors")
}
STAMPS = ("t_plan", "t0", "t_sent", "t_hdr", "t_end", "t_output")
FACTS = RunFacts(
    start_ns=START_NS,
    end_ns=50,
    drain_ns=40,
    clock_shift_ns=1,
    cpu_share=0.25,
    loop_lag_p99_ns=7,
    timestamps="kernel",
    transport="wire",
    concurrency=2,
    planned=3,
)


def without_numbers(text):
    return re.sub(r"\d+", "<n>", text)


def batch_of(ends, contents=None, *, errors=(), start_ns=START_NS, facts=None, **given):
    """Rows that end at these stamps; every other column tells row from row and column from column."""
    n = len(ends)
    contents = [[] for _ in ends] if contents is None else contents
    columns = {name: np.arange(i, i + n).astype(kind) for i, (name, kind) in enumerate(KINDS.items())}
    columns["error"] = np.full(n, ABSENT)
    columns["t_end"] = np.array(ends)
    columns["content_offsets"] = np.cumsum([0, *map(len, contents)])
    columns["content_ns"] = np.array([stamp for row in contents for stamp in row])
    columns = {name: np.asarray(given.get(name, columns[name]), dtype=KINDS[name]) for name in KINDS}
    return RecordBatch(facts=replace(facts or FACTS, start_ns=start_ns), errors=errors, **columns)


def merged(*batches):
    return merge_records(batches, without_numbers)


def rows_of(batch):
    """Each row with everything that belongs to it, stamps on the clock's own scale."""
    rows = []
    for i in range(len(batch)):
        row = {name: int(getattr(batch, name)[i]) for name in KINDS if not name.startswith("content_")}
        for name in STAMPS:
            row[name] += batch.facts.start_ns if row[name] != ABSENT else 0
        a, b = batch.content_offsets[i : i + 2]
        row["contents"] = tuple((batch.content_ns[a:b] + batch.facts.start_ns).tolist())
        del row["slot"]
        rows.append(row)
    return rows


one_batch = st.tuples(
    st.lists(st.tuples(st.integers(0, 99), st.lists(st.integers(0, 99), max_size=3)), max_size=6),
    st.integers(0, 50),
)


@settings(deadline=None)
@given(st.lists(one_batch, min_size=1, max_size=4))
def test_every_row_is_there_once_with_all_that_belongs_to_it(drawn):
    batches = [
        batch_of(sorted(end for end, _ in rows), [c for _, c in rows], start_ns=START_NS + later)
        for rows, later in drawn
    ]
    whole = merged(*batches)
    before = [row for batch in batches for row in rows_of(batch)]
    assert sorted(map(str, rows_of(whole))) == sorted(map(str, before))
    assert whole.t_end.tolist() == sorted(whole.t_end.tolist())
    for name, kind in KINDS.items():
        assert getattr(whole, name).dtype == kind, name


def test_stamps_count_from_the_earliest_start_and_absent_ones_stay_absent():
    late = batch_of([30, 60], [[10], [20, 25]], start_ns=START_NS + 5, t_hdr=[ABSENT, 9])
    whole = merged(late, batch_of([32], [[1]]))
    assert whole.facts.start_ns == START_NS
    assert whole.t_end.tolist() == [32, 35, 65]
    assert whole.t_hdr.tolist()[1:] == [ABSENT, 14]
    assert whole.content_ns.tolist() == [1, 15, 25, 30]
    assert whole.content_offsets.tolist() == [0, 1, 2, 4]


def test_slots_of_different_processes_are_different_slots():
    first = batch_of([1, 2], slot=[0, 1])
    second = batch_of([3, 4], slot=[1, 0])
    assert merged(first, second).slot.tolist() == [0, 1, 3, 2]


def test_slots_differ_also_where_nothing_limits_their_number():
    open_loop = replace(FACTS, concurrency=None)
    batches = [batch_of([1, 2], slot=[0, 4], facts=open_loop), batch_of([3], slot=[0], facts=open_loop)]
    whole = merged(*batches, batch_of([], facts=open_loop))
    assert whole.slot.tolist() == [0, 4, 5]
    assert whole.facts.concurrency is None


def test_failures_that_differ_in_numbers_only_are_one_group():
    reset = ErrorGroup(type="reset", code=None, message="reset by peer", count=1)
    slow = ErrorGroup(type="timeout", code=None, message="no byte within 3.0 s", count=1)
    slower = ErrorGroup(type="timeout", code=None, message="no byte within 3.1 s", count=2)
    bad = {"outcome": [Outcome.ERROR, Outcome.OK, Outcome.ERROR]}
    first = batch_of([1, 3, 5], errors=(reset, slow), error=[1, ABSENT, 0], **bad)
    second = batch_of([2, 4, 6], errors=(slower,), error=[0, ABSENT, 0], **bad)
    whole = merged(first, second)
    assert whole.errors == (reset, replace(slow, count=3))
    assert whole.error.tolist() == [1, 1, ABSENT, ABSENT, 0, 1]


def test_facts_are_those_of_the_whole_or_of_the_worst():
    first = replace(FACTS, clock_shift_ns=3, cpu_share=0.2, reopened=1, late_start_ns=4, loop_lag_p99_ns=9)
    second = replace(
        FACTS, clock_shift_ns=-8, cpu_share=0.9, reopened=2, end_ns=44, drain_ns=30, timestamps="user"
    )
    facts = merged(batch_of([1], facts=first), batch_of([2], facts=second, start_ns=START_NS + 7)).facts
    assert facts == replace(
        FACTS,
        end_ns=51,
        drain_ns=37,
        clock_shift_ns=-8,
        cpu_share=0.9,
        loop_lag_p99_ns=9,
        timestamps="mixed",
        concurrency=4,
        planned=6,
        workers=2,
        reopened=3,
        late_start_ns=4,
    )


@pytest.mark.parametrize("name", ["planned", "concurrency"])
def test_what_one_process_does_not_know_the_whole_does_not_know(name):
    unknown = replace(FACTS, **{name: None})
    assert getattr(merged(batch_of([1]), batch_of([2], facts=unknown)).facts, name) is None


def test_a_run_that_one_process_cut_short_is_cut_short():
    cut = replace(FACTS, cut_short="aborted; 1 of 3 requests had been sent")
    facts = merged(batch_of([1]), batch_of([2], facts=cut)).facts
    assert facts.cut_short == f"in 1 of 2 load processes: {cut.cut_short}"
