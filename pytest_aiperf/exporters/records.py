"""The requests of a run as JSON Lines (`--aiperf-artifacts`): one line each, in the order in which they ended.

Beside each file lie the same requests as columns (`pytest_aiperf.exporters.record_columns`).

A run may hold a million requests. Columns become Python objects a block at a time, so that writing takes the memory of
one block and not of a list of a million dicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import orjson

from pytest_aiperf.baseline.keys import measurement_path
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import ABSENT, Int64, Outcome, RecordBatch
from pytest_aiperf.exporters.record_columns import itl_ms, write_columns
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.runs import MadeRun

BLOCK: Final = 8192
"""Requests that are Python objects at the same time."""
_AS_THEY_ARE: Final = ("slot", "conversation", "status", "coalesced", "sent_bytes", "received_bytes")
_TOKENS: Final = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
_OUTCOMES: Final = {outcome.value: outcome.name.lower() for outcome in Outcome}


class RecordFiles:
    """The files of one measurement: ``<root>/requests/<module>/<test>-<hash8>/run-1.jsonl`` and so on."""

    def __init__(self, root: Path, *, test: str, name: str | None) -> None:
        self._root = root
        self._folder = measurement_path(root / "requests", test=test, name=name)
        self.written: list[str] = []
        """JSON Lines, as seen from the root, in the order in which the runs were made; columns lie beside each."""

    def __call__(self, made: MadeRun) -> None:
        """Write a run; what an earlier measurement of the same test and name left is removed by the first one.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        path = self._folder / f"{_title(made)}.jsonl"
        try:
            if not self.written:
                self._make_room()
            with path.open("wb") as file:
                write_records(file, made.data)
            with path.with_suffix(".npz").open("wb") as file:
                write_columns(file, made.data)
        except OSError as error:
            raise ConfigurationError(f"--aiperf-artifacts: cannot write {path}: {error}") from None
        self.written.append(path.relative_to(self._root).as_posix())

    def _make_room(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in (*self._folder.glob("*.jsonl"), *self._folder.glob("*.npz")):
            old.unlink()


def write_records(file: BinaryIO, data: RunData) -> None:
    """Write the requests of a run, warm-up included, a line of JSON each."""
    for block in _blocks(data):
        names = tuple(block)
        rows = zip(*block.values(), strict=True)
        file.writelines(
            orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE) for row in rows
        )


def _title(made: MadeRun) -> str:
    against = "against-" if made.against else ""
    attempt = f"-attempt-{made.attempt}" if made.attempt > 1 else ""
    return f"{against}{made.phase}-{made.number}{attempt}"


def _blocks(data: RunData) -> Iterator[Mapping[str, list[Any]]]:
    batch = data.batch
    itl = itl_ms(data)
    streaming = data.columns.context.streaming
    errors: dict[int, str | None] = dict(enumerate(group.type for group in batch.errors)) | {ABSENT: None}
    for first in range(0, len(batch), BLOCK):
        rows = slice(first, min(first + BLOCK, len(batch)))
        t0, content = batch.t0[rows], _Contents(batch, rows)
        begin = content.first if streaming else np.full(len(t0), ABSENT, dtype=np.int64)
        yield {
            "index": batch.request_index[rows].tolist(),
            "measured": data.inside[rows].tolist(),
            "outcome": [_OUTCOMES[one] for one in batch.outcome[rows].tolist()],
            "error": [errors[one] for one in batch.error[rows].tolist()],
            "start_ns": _present(np.where(t0 == ABSENT, ABSENT, t0 + batch.facts.start_ns)),
            "start_ms": _span_ms(np.zeros_like(t0), t0),
            "due_ms": _span_ms(np.zeros_like(t0), batch.t_plan[rows]),
            "connect_ms": (batch.connecting_ns[rows] / 1e6).tolist(),
            "sent_ms": _span_ms(t0, batch.t_sent[rows]),
            "headers_ms": _span_ms(t0, batch.t_hdr[rows]),
            "ttft_ms": _span_ms(t0, begin),
            "latency_ms": _span_ms(t0, content.last),
            "end_ms": _span_ms(t0, batch.t_end[rows]),
            "itl_ms": itl[rows].tolist(),
            "longest_gap_ms": content.longest_gap_ms.tolist(),
            "messages": content.count.tolist(),
            **{name: _present(getattr(batch, name)[rows]) for name in (*_TOKENS, *_AS_THEY_ARE)},
            "correct": [None if one == ABSENT else one == 1 for one in batch.correct[rows].tolist()],
        }


def _present(column: npt.NDArray[Any]) -> list[int | None]:
    """Return whole numbers, None for what is absent."""
    values = column.tolist()
    if not (column == ABSENT).any():
        return values  # type: ignore[no-any-return]  # tolist of integers
    return [None if value == ABSENT else value for value in values]


def _span_ms(start: Int64, end: Int64) -> list[float]:
    """Return milliseconds, NaN where a stamp is absent: orjson writes null for it."""
    spans = (end - start) / 1e6
    spans[(start == ABSENT) | (end == ABSENT)] = np.nan
    return spans.tolist()  # type: ignore[no-any-return]  # tolist of floats


class _Contents:
    """Messages with content of some requests: how many, the first, the last, the longest gap between two."""

    def __init__(self, batch: RecordBatch, rows: slice) -> None:
        offsets = batch.content_offsets[rows.start : rows.stop + 1] - batch.content_offsets[rows.start]
        stamps = batch.content_ns[batch.content_offsets[rows.start] : batch.content_offsets[rows.stop]]
        self.count = np.diff(offsets)
        self.first = _picked(stamps, offsets[:-1], self.count >= 1)
        self.last = _picked(stamps, offsets[1:] - 1, self.count >= 1)
        self.longest_gap_ms = np.full(len(self.count), np.nan)
        several = self.count >= 2
        if several.any():
            gaps = np.diff(stamps)
            ends = offsets[1:][self.count >= 1][:-1] - 1
            gaps[ends] = 0  # between two requests is no gap
            self.longest_gap_ms[several] = np.maximum.reduceat(gaps, offsets[:-1][several]) / 1e6


def _picked(stamps: Int64, where: Int64, there: npt.NDArray[np.bool_]) -> Int64:
    found = np.full(len(where), ABSENT, dtype=np.int64)
    found[there] = stamps[where[there]]
    return found
