"""The requests of a run as AIPerf 0.13 writes them: ``profile_export.jsonl``, a line each.

A line is a template that is filled with the text of its figures, and the text of a column is made by orjson in one
call: a million lines of nested dicts would take twice as long. A request that lacks a figure another one has (a failed
one has hardly any) gets a template without it, so that there are as many templates as there are kinds of requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, pairwise, repeat
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from pytest_aiperf.common.records import ABSENT, ErrorGroup, Int32, Int64, Outcome
from pytest_aiperf.exporters.aiperf_inputs import sessions_of
from pytest_aiperf.exporters.aiperf_names import unit_of
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.metrics.base_metric import BaseListMetric, BaseRecordMetric, Floats
from pytest_aiperf.metrics.registry import all_metrics
from pytest_aiperf.metrics.run_columns import RunColumns

BLOCK: Final = 8192
"""Requests that are text at the same time."""
_METADATA: Final = (
    b'{"metadata":{"session_num":%d,"x_correlation_id":"session_%06d","conversation_id":"session_%06d",'
    b'"turn_index":%d,"credit_issued_ns":%b,"request_start_ns":%b,"request_ack_ns":%b,"request_end_ns":%b,'
    b'"worker_id":"worker_0","record_processor_id":"record_processor_0","benchmark_phase":"profiling",'
    b'"was_cancelled":%b},"metrics":{'
)
"""Conversations are named as `pytest_aiperf.exporters.aiperf_names.session_id` does."""
_NO_NUMBER: Final = b"null"


class _Cells(NamedTuple):
    """A metric of the requests of a block."""

    head: bytes
    """``"time_to_first_token":{"unit":"ms","value":``"""
    text: Sequence[bytes]
    """Of each figure; null where there is none."""
    known: npt.NDArray[np.bool_]
    """Where there is one."""


def write_aiperf_records(file: BinaryIO, data: RunData, *, first_session: int = 0) -> int:
    """Write the measured requests of a run.

    Args:
        file: open for writing.
        data: the run.
        first_session: number of its first conversation: several runs in one file do not share any.

    Returns:
        The number that is free for the next run.
    """
    columns = data.columns
    session, turn = sessions_of(columns.column("conversation"), columns.column("request_index"))
    errors = [_error(group) for group in data.batch.errors]
    for begin in range(0, len(columns), BLOCK):
        rows = slice(begin, min(begin + BLOCK, len(columns)))
        block = _block(data, rows)
        ends = [errors[one] if one != ABSENT else b"" for one in block.column("error").tolist()]
        metadata = _metadata(block, session[rows], turn[rows], first_session)
        file.writelines(_lines(metadata, _cells(block), ends))
    return first_session + int(session.max(initial=-1)) + 1


def _block(data: RunData, rows: slice) -> RunColumns:
    """Return some of the measured requests, as a run of their own: figures of all at once would take the memory."""
    measured = data.columns.rows
    if isinstance(measured, slice):
        first = measured.indices(len(data.batch))[0]
        measured = slice(first + rows.start, first + rows.stop)
    else:
        measured = measured[rows]
    return RunColumns(data.batch, rows=measured, window=data.window, context=data.columns.context)


def _cells(block: RunColumns) -> Sequence[_Cells]:
    found = []
    for metric in all_metrics().values():
        if not metric.applies_to(block.context):
            continue
        head = _head(metric.tag, metric.unit)
        if isinstance(metric, BaseListMetric):
            found.append(_Cells(head, *_several(*metric.lists(block))))
        elif isinstance(metric, BaseRecordMetric) and not metric.counts_failed:
            found.append(_Cells(head, *_figures(block.of(metric))))
    return found


def _lines(
    metadata: Iterator[tuple[object, ...]], cells: Sequence[_Cells], ends: Sequence[bytes]
) -> Iterator[bytes]:
    told = [cell for cell in cells if cell.known.any()]
    heads = [cell.head for cell in told]
    whole = _template(heads)
    templates: dict[tuple[bool, ...], bytes] = {}
    complete = np.logical_and.reduce([np.full(len(ends), True), *(cell.known for cell in told)]).tolist()
    figures_of = zip(*(cell.text for cell in told), strict=True) if told else repeat((), len(ends))
    for facts, figures, end, is_complete in zip(metadata, figures_of, ends, complete, strict=True):
        if is_complete:
            yield whole % (*facts, *figures, end)
            continue
        there = tuple(figure != _NO_NUMBER for figure in figures)
        if there not in templates:
            templates[there] = _template(list(compress(heads, there)))
        yield templates[there] % (*facts, *compress(figures, there), end)


def _template(heads: Sequence[bytes]) -> bytes:
    figures = b",".join(head.replace(b"%", b"%%") + b"%b}" for head in heads)  # a unit is a percent sign
    return _METADATA + figures + b"}%b}\n"


def _metadata(
    block: RunColumns, session: Int32, turn: Int32, first_session: int
) -> Iterator[tuple[object, ...]]:
    """Yield what fills the beginning of each template. A request that was never sent began when it ended."""
    start_ns = block.batch.facts.start_ns
    t0, end, due, head = (block.column(name) for name in ("t0", "t_end", "t_plan", "t_hdr"))
    begin = np.where(t0 != ABSENT, t0, np.maximum(end, 0))
    acknowledged = _numbers(np.where(head != ABSENT, head, begin) + start_ns)
    for row in np.flatnonzero(head == ABSENT).tolist():
        acknowledged[row] = _NO_NUMBER
    number = (session + first_session).tolist()
    cancelled = block.outcome == Outcome.CANCELLED
    return zip(
        number,
        number,
        session.tolist(),
        turn.tolist(),
        _numbers(np.where(due != ABSENT, due, begin) + start_ns),
        _numbers(begin + start_ns),
        acknowledged,
        _numbers(np.maximum(end, begin) + start_ns),
        [b"true" if one else b"false" for one in cancelled.tolist()],
        strict=True,
    )


def _head(tag: str, unit: str) -> bytes:
    return b'%b:{"unit":%b,"value":' % (orjson.dumps(tag), orjson.dumps(unit_of(unit)))


def _numbers(column: npt.NDArray[Any]) -> list[bytes]:
    """Return the text of each number; null where it is not finite."""
    text = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
    return text[1:-1].split(b",") if len(column) else []


def _figures(column: Floats) -> tuple[list[bytes], npt.NDArray[np.bool_]]:
    """Return the text of each figure and where there is one; whole numbers as such."""
    known = np.isfinite(column)
    if (column[known] != np.floor(column[known])).any():
        return _numbers(column), known
    text = _numbers(np.where(known, column, 0).astype(np.int64))
    for row in np.flatnonzero(~known).tolist():
        text[row] = _NO_NUMBER
    return text, known


def _several(values: Floats, counts: Int64) -> tuple[list[bytes], npt.NDArray[np.bool_]]:
    """Return the text of each request's list and where it is not empty."""
    text, ends = _numbers(values), [0, *np.cumsum(counts).tolist()]
    lists = [b"[%b]" % b",".join(text[a:b]) if b > a else _NO_NUMBER for a, b in pairwise(ends)]
    return lists, counts > 0


def _error(group: ErrorGroup) -> bytes:
    found = {"code": group.code, "type": group.type, "message": group.message}
    return b',"error":' + orjson.dumps({name: value for name, value in found.items() if value is not None})
