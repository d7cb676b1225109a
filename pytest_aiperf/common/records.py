"""PYTEST_DONT_REWRITE. What one run of a load leaves behind: columns, not objects.

A `RecordBatch` is what the engine hands over and what the metrics read. Every request of the plan has exactly
one row, whatever happened to it, in the order of completion. Stamps are int64 nanoseconds since `start_ns` on
the run clock (CLOCK_REALTIME, the clock on which the kernel stamps received data); `ABSENT` marks a stamp that
was never taken and a count that the server never told.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

ABSENT: Final = -1

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Int16 = npt.NDArray[np.int16]
Int8 = npt.NDArray[np.int8]


class Outcome(enum.IntEnum):
    """What became of a request. `TRUNCATED` is a stream that ended without saying that it was complete."""

    OK = 0
    ERROR = 1
    CANCELLED = 2
    TRUNCATED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Failures that are the same once ids and numbers are masked."""

    type: str
    """Class of the failure: ``connect``, ``reset``, ``timeout``, ``http``, ``stream``, ``json``, ``truncated``…"""
    code: int | None
    """HTTP status or the code in the server's error object; None where there is none."""
    message: str
    """Text for a person, secrets masked, cut at 4 096 characters."""
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the engine knows about a run as a whole."""

    start_ns: int
    """Origin of all stamps: CLOCK_REALTIME ns."""
    end_ns: int
    """Offset at which the last request had ended."""
    drain_ns: int
    """Offset of the first moment at which an idle slot could not be refilled; open loop: at which all was sent."""
    clock_shift_ns: int
    """How far CLOCK_REALTIME moved against CLOCK_MONOTONIC during the run."""
    cpu_share: float
    """CPU time of the load process over the run's wall time, 0 to 1."""
    loop_lag_p99_ns: int
    """p99 of the event loop's lateness, sampled."""
    timestamps: str
    """``kernel`` or ``user``; ``mixed`` when the kernel left out some."""
    transport: str
    """Name of the transport that was used."""
    concurrency: int | None
    """Limit of requests in flight; None in an open loop without one."""
    planned: int | None
    """Requests in the plan; fewer rows than this means that the run was cut short. None: its duration decided."""
    open_loop: bool = False
    """Requests had due times: `t_plan` is when each should have been sent."""
    workers: int = 1
    """Load processes that shared the run; `cpu_share` and `loop_lag_p99_ns` are those of the worst."""
    late_start_ns: int = 0
    """How long after the common deadline the last load process started."""
    connection_reuse: str = "pooled"
    insecure: bool = False
    """Certificates were not verified."""
    proxy: str | None = None
    """Host and port of the proxy that was used, or None."""
    reopened: int = 0
    """Idle connections that the server had closed and that were opened again."""
    cut_short: str | None = None
    """Why the run ended before its plan did, or None."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RecordBatch:
    """All requests of one run. Shapes: ``(n,)`` unless stated; ``m`` is the number of content messages."""

    facts: RunFacts
    request_index: Int32
    """Which request of the plan this row is."""
    slot: Int32
    outcome: Int8
    status: Int16
    """HTTP status, `ABSENT` where no head came."""
    error: Int32
    """Index into `errors`, `ABSENT` for a request without one."""
    t_plan: Int64
    t0: Int64
    t_sent: Int64
    t_hdr: Int64
    t_end: Int64
    t_output: Int64
    """Arrival of the first message with content that is not reasoning, else `ABSENT`."""
    connecting_ns: Int64
    """What connecting took for this request, TLS handshake included; 0 where a connection was open."""
    sent_bytes: Int32
    """Head and body of the request."""
    received_bytes: Int64
    """Body of the answer, transfer coding removed."""
    conversation: Int32
    """Which conversation of the plan; `ABSENT` where requests stand alone."""
    content_offsets: Int64
    """``(n + 1,)``: the content stamps of row i are ``content_ns[content_offsets[i]:content_offsets[i + 1]]``."""
    content_ns: Int64
    """``(m,)``: arrival of each message with content."""
    coalesced: Int32
    """Content messages that came with another one in the same read."""
    first_tokens: Int32
    """Tokens of the first content message: 1 unless the server says otherwise per message."""
    input_tokens: Int32
    output_tokens: Int32
    """Completion tokens as the server's `usage` tells them, reasoning included; else `ABSENT`."""
    reasoning_tokens: Int32
    cached_tokens: Int32
    """Prompt tokens that the server says it had in a cache, else `ABSENT`."""
    correct: Int8
    """1 where the answer is the expected one, 0 where it is not; `ABSENT` where none was expected or none came."""
    errors: Sequence[ErrorGroup] = field(default=())

    def __len__(self) -> int:
        return len(self.t0)

    def __repr__(self) -> str:
        """Return a short text: asyncio forms one of a task's result at the end of every run."""
        return f"RecordBatch({len(self)} requests)"

    def content_count(self) -> Int64:
        """``(n,)``: content messages of each request."""
        return np.diff(self.content_offsets)

    def content_at(self, k: int) -> Int64:
        """``(n,)``: stamp of the k-th content message of each request (negative k from the end), else `ABSENT`."""
        count = self.content_count()
        has = count > k if k >= 0 else count >= -k
        where = (self.content_offsets[:-1] if k >= 0 else self.content_offsets[1:]) + k
        out = np.full(len(self), ABSENT, dtype=np.int64)
        out[has] = self.content_ns[where[has]]
        return out

    def to_buffers(self) -> tuple[dict[str, Any], list[memoryview]]:
        """Return a JSON-ready header and the raw columns, in the order in which the header names them."""
        names = [f.name for f in fields(self) if f.name not in ("facts", "errors")]
        columns = [np.ascontiguousarray(getattr(self, name)) for name in names]
        header = {
            "facts": {f.name: getattr(self.facts, f.name) for f in fields(self.facts)},
            "errors": [{f.name: getattr(e, f.name) for f in fields(e)} for e in self.errors],
            "columns": [[name, c.dtype.str] for name, c in zip(names, columns, strict=True)],
        }
        return header, [memoryview(c.data).cast("B") if c.size else memoryview(b"") for c in columns]

    @classmethod
    def from_buffers(cls, header: Mapping[str, Any], buffers: Sequence[bytes | memoryview]) -> RecordBatch:
        """Rebuild what `to_buffers` took apart."""
        columns = {
            name: np.frombuffer(buffer, dtype=np.dtype(dtype))
            for (name, dtype), buffer in zip(header["columns"], buffers, strict=True)
        }
        errors = tuple(ErrorGroup(**e) for e in header["errors"])
        return cls(facts=RunFacts(**header["facts"]), errors=errors, **columns)
