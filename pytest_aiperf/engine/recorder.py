"""PYTEST_DONT_REWRITE. Collects finished requests into columns.

A row is packed into one growing buffer by one call, 116 bytes of it, and each content stamp takes 8 more; there is no
object per request. Columns are cut out of the buffer at the end, when nothing is measured any more.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.masking import Masking
from pytest_aiperf.common.records import ABSENT, ErrorGroup, Int64, Outcome, RecordBatch, RunFacts
from pytest_aiperf.engine.answer import Answer
from pytest_aiperf.engine.transport import Exchange, Failure

_FIELDS: Final = {
    "request_index": "i4",
    "slot": "i4",
    "outcome": "i1",
    "status": "i2",
    "error": "i4",
    "t_plan": "i8",
    "t0": "i8",
    "t_sent": "i8",
    "t_hdr": "i8",
    "t_end": "i8",
    "t_output": "i8",
    "connecting_ns": "i8",
    "sent_bytes": "i4",
    "received_bytes": "i8",
    "conversation": "i4",
    "contents": "i4",
    "coalesced": "i4",
    "first_tokens": "i4",
    "input_tokens": "i4",
    "output_tokens": "i4",
    "reasoning_tokens": "i4",
    "cached_tokens": "i4",
    "correct": "i1",
}
_ROW: Final = struct.Struct("=iibhiqqqqqqqiqiiiiiiiib")
_STAMPS: Final = ("t_plan", "t0", "t_sent", "t_hdr", "t_end", "t_output")
_BLOCK_ROWS: Final = 4096
_MOST_GROUPS: Final = 256
"""Failures that are told apart; a server that words each one differently must not fill the memory."""


class Recorder:
    """One row for each exchange that it is given."""

    def __init__(self, masking: Masking) -> None:
        self._masking = masking
        self._rows = bytearray()
        self._contents = array("q")
        self._group_of: dict[tuple[str, int | None, str], int] = {}
        self._seen: dict[Failure, int] = {}
        """Groups of failures word by word: masking a long text costs more than a request."""
        self._groups: list[ErrorGroup] = []
        self._counts: list[int] = []
        self.rows = 0
        self.failed = 0
        self.last_end_ns = 0
        """Latest end so far, CLOCK_REALTIME ns."""

    def add(self, exchange: Exchange, answer: Answer) -> None:
        """Add the row of this exchange."""
        error = ABSENT
        if answer.failure is not None:
            error = self._count(answer.failure)
            self.failed += answer.outcome is not Outcome.CANCELLED
        facts = answer.facts
        content_ns = answer.content_ns
        self._contents.extend(content_ns)
        self._rows += _ROW.pack(
            exchange.index,
            exchange.slot,
            answer.outcome,
            exchange.status or ABSENT,
            error,
            exchange.t_plan,
            exchange.t0,
            exchange.t_sent,
            exchange.t_hdr,
            exchange.t_end,
            answer.output_ns,
            exchange.connecting_ns,
            len(exchange.request),
            sum(map(len, exchange.parts)),
            exchange.conversation,
            len(content_ns),
            answer.coalesced,
            facts.first_tokens,
            ABSENT if facts.input_tokens is None else facts.input_tokens,
            ABSENT if facts.output_tokens is None else facts.output_tokens,
            ABSENT if facts.reasoning_tokens is None else facts.reasoning_tokens,
            ABSENT if facts.cached_tokens is None else facts.cached_tokens,
            answer.correct,
        )
        self.rows += 1
        self.last_end_ns = max(self.last_end_ns, exchange.t_end)

    def _count(self, failure: Failure) -> int:
        index = self._seen.get(failure)
        if index is None:
            index = self._group(failure)
            if len(self._seen) < _MOST_GROUPS:
                self._seen[failure] = index
        self._counts[index] += 1
        return index

    def _group(self, failure: Failure) -> int:
        message = self._masking.shown(failure.message)
        key = (failure.type, failure.code, self._masking.same_as(message))
        if key not in self._group_of and len(self._groups) >= _MOST_GROUPS:
            message = "(further failures with other messages)"
            key = (failure.type, None, message)
        index = self._group_of.get(key)
        if index is None:
            index = self._group_of[key] = len(self._groups)
            self._groups.append(ErrorGroup(type=failure.type, code=key[1], message=message))
            self._counts.append(0)
        return index

    def finish(self, facts: RunFacts) -> RecordBatch:
        """Return what was recorded, in the order of completion, stamps counted from the run's start."""
        table = np.frombuffer(self._rows, dtype=np.dtype(list(_FIELDS.items())))
        order = np.argsort(table["t_end"], kind="stable")
        table = table[order]
        counts: Int64 = table["contents"].astype(np.int64)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        columns: dict[str, npt.NDArray[Any]] = {
            name: table[name].copy() for name in _FIELDS if name != "contents"
        }
        for name in _STAMPS:
            columns[name] = np.where(table[name] == 0, ABSENT, table[name] - facts.start_ns)
        # On loopback an answer can overtake the return of the call that sent its request.
        heard = np.where(columns["t_hdr"] != ABSENT, columns["t_hdr"], columns["t_end"])
        np.minimum(columns["t_sent"], heard, out=columns["t_sent"])
        content_ns = self._contents_in(order, counts)
        content_ns -= facts.start_ns
        groups = tuple(replace(group, count=n) for group, n in zip(self._groups, self._counts, strict=True))
        return RecordBatch(
            facts=facts,
            content_offsets=offsets,
            content_ns=content_ns,
            errors=groups,
            **columns,
        )

    def _contents_in(self, order: npt.NDArray[np.intp], counts: Int64) -> Int64:
        """Return the content stamps of the rows in this order; `counts` are theirs, so ordered.

        Goes by blocks of rows: the index of all of them at once would take several times what the stamps take.
        """
        flat = (
            np.frombuffer(self._contents, dtype=np.int64) if self._contents else np.empty(0, dtype=np.int64)
        )
        recorded = np.empty_like(counts)
        recorded[order] = counts
        starts = (np.cumsum(recorded) - recorded)[order]
        ordered = np.empty_like(flat)
        filled = 0
        for first in range(0, len(order), _BLOCK_ROWS):
            block = counts[first : first + _BLOCK_ROWS]
            ends = np.cumsum(block)
            shift = np.repeat(starts[first : first + _BLOCK_ROWS] - (ends - block), block)
            ordered[filled : filled + len(shift)] = flat[np.arange(len(shift)) + shift]
            filled += len(shift)
        return ordered
