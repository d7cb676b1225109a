"""What must hold for the rows of any run, however its server behaves."""

from __future__ import annotations

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome, RecordBatch

STAMPS = ("t_plan", "t0", "t_sent", "t_hdr", "t_end", "t_output")


def check_rows(batch: RecordBatch, requests: int) -> None:
    """Every request has one row, with stamps that are int64, in order, and kept whatever happened."""
    assert sorted(batch.request_index.tolist()) == list(range(requests))
    for name in STAMPS:
        assert getattr(batch, name).dtype == np.int64
    assert (batch.t0 >= 0).all()
    assert (batch.t_end >= batch.t0).all()
    assert batch.facts.end_ns == batch.t_end.max()
    for column in (batch.t_sent, batch.t_hdr):
        there = column != ABSENT
        assert (column[there] >= batch.t0[there]).all()
        assert (column[there] <= batch.t_end[there]).all()
    answered = batch.status != ABSENT
    assert (batch.t_hdr[answered] != ABSENT).all()
    assert batch.content_ns.dtype == np.int64
    assert len(batch.content_ns) == batch.content_offsets[-1]
    for row in range(requests):
        contents = batch.content_ns[batch.content_offsets[row] : batch.content_offsets[row + 1]]
        assert (np.diff(contents) >= 0).all()
        assert ((contents >= batch.t_hdr[row]) & (contents <= batch.t_end[row])).all()
    failed = batch.outcome != Outcome.OK
    assert ((batch.error != ABSENT) == failed).all()
    assert sum(group.count for group in batch.errors) == failed.sum()


def only_failure(batch: RecordBatch) -> tuple[Outcome, str, int | None, str]:
    """Outcome, class, code and message of the one row, or of the one group that all rows are in."""
    assert len(batch.errors) == 1
    assert set(batch.error.tolist()) == {0}
    (outcome,) = set(batch.outcome.tolist())
    group = batch.errors[0]
    return Outcome(outcome), group.type, group.code, group.message
