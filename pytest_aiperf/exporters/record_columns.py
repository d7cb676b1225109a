"""The requests of a run as columns: a ``.npz`` file that ``numpy.load`` reads, for those who compute with them.

Every column is written as soon as it is made, so that a million requests take the memory of one column. No column holds
NaN: stamps and spans are whole nanoseconds, and what is absent is -1, as in the records themselves.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import ABSENT, Int64, Outcome
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.metrics.base_metric import Floats
from pytest_aiperf.metrics.run_columns import RunColumns
from pytest_aiperf.metrics.types.latency import InterTokenLatency

_AS_THEY_ARE: Final = {
    "index": "request_index",
    "slot": "slot",
    "conversation": "conversation",
    "outcome": "outcome",
    "error": "error",
    "status": "status",
    "connect_ns": "connecting_ns",
    "coalesced": "coalesced",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cached_tokens": "cached_tokens",
    "sent_bytes": "sent_bytes",
    "received_bytes": "received_bytes",
    "correct": "correct",
    "content_offsets": "content_offsets",
    "content_ns": "content_ns",
}
"""By name in the file: columns of the records. Content stamps are offsets from the start of the run."""
_SPANS: Final = {"sent_ns": "t_sent", "headers_ns": "t_hdr", "end_ns": "t_end"}
"""From the moment before the first byte was sent."""


def write_columns(file: BinaryIO, data: RunData) -> None:
    """Write the requests of a run, warm-up included, in the order in which they ended."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, column in _columns(data):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(column), allow_pickle=False)


def itl_ms(data: RunData) -> Floats:
    """Of all requests, by the formula of the metric."""
    everything = RunColumns(data.batch, rows=slice(None), window=data.window, context=data.columns.context)
    if not InterTokenLatency().applies_to(everything.context):
        return np.full(len(data.batch), np.nan)
    return everything.of(InterTokenLatency)


def _columns(data: RunData) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    batch = data.batch
    yield "measured", data.inside
    yield "run_start_ns", np.array(batch.facts.start_ns, dtype=np.int64)
    yield "outcome_names", np.array([outcome.name.lower() for outcome in Outcome])
    yield "error_names", np.array([group.type for group in batch.errors], dtype=np.str_)
    for name, column in _AS_THEY_ARE.items():
        yield name, getattr(batch, column)
    yield "start_ns", batch.t0
    yield "due_ns", batch.t_plan
    for name, column in _SPANS.items():
        yield name, _span(batch.t0, getattr(batch, column))
    for name, make in _CONTENT.items():
        yield name, make(data)
    yield "itl_ms", np.nan_to_num(itl_ms(data), nan=float(ABSENT), posinf=float(ABSENT))


def _span(start: Int64, end: Int64) -> Int64:
    spans = end - start
    spans[(start == ABSENT) | (end == ABSENT)] = ABSENT
    return spans


def _content(data: RunData, *, last: bool) -> Int64:
    """Spans to the first or the last message with content."""
    offsets = data.batch.content_offsets
    has = offsets[1:] > offsets[:-1]
    stamps = np.full(len(has), ABSENT, dtype=np.int64)
    stamps[has] = data.batch.content_ns[(offsets[1:] - 1 if last else offsets[:-1])[has]]
    return _span(data.batch.t0, stamps)


def _first(data: RunData) -> Int64:
    return (
        _content(data, last=False) if data.columns.context.streaming else np.full_like(data.batch.t0, ABSENT)
    )


def _last(data: RunData) -> Int64:
    return _content(data, last=True)


_CONTENT: Final[Mapping[str, Callable[[RunData], Int64]]] = {"ttft_ns": _first, "latency_ns": _last}
