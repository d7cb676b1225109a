"""Latencies of a request, from the stamps of its record. A request that did not end well has none (NaN).

`c_1`, `c_2`, ... `c_last` are the arrivals of its messages with content, `t0` the moment before its first byte was
handed to the socket.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.common.records import Int64
from pytest_aiperf.metrics.base_metric import BaseListMetric, BaseRecordMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns, ratio
from pytest_aiperf.metrics.types.length import OutputSequenceLength


class TimeToFirstToken(BaseRecordMetric):
    """``c_1 - t0``: to the first message with content."""

    tag = "time_to_first_token"
    header = "Time to First Token"
    description = "First byte sent to the first message with content"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 100
    streaming_only = True
    stored = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t0"), run.first_ns)


class TimeToSecondToken(BaseRecordMetric):
    """``c_2 - c_1``: absent with fewer than two content messages."""

    tag = "time_to_second_token"
    header = "Time to Second Token"
    description = "First to second message with content"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 200
    streaming_only = True
    stored = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.first_ns, run.second_ns)


class TimeToFirstOutputToken(BaseRecordMetric):
    """``c_o - t0``: to the first message with content that is not reasoning."""

    tag = "time_to_first_output_token"
    header = "Time to First Output Token"
    description = "First byte sent to the first content that is not reasoning"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 210
    streaming_only = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t0"), run.column("t_output"))


class RequestLatency(BaseRecordMetric):
    """``c_last - t0``: to the last message with content, so that usage and closing messages do not count."""

    tag = "request_latency"
    header = "Request Latency"
    description = "First byte sent to the last message with content"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 300
    stored = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t0"), run.last_ns)


class DecodeDuration(BaseRecordMetric):
    """``request_latency - time_to_first_token``: from the first message with content to the last."""

    tag = "decode_duration"
    header = "Decode Duration"
    description = "First to last message with content"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 350
    streaming_only = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.first_ns, run.last_ns)


class InterTokenLatency(BaseRecordMetric):
    """``decode_duration / (OSL - n_1)``, n_1 the tokens of the first content message; OSL >= 2.

    It rests on the first and the last arrival only, so messages that share a read do not distort it. n_1 is 1 unless
    the server's usage per message says otherwise.
    """

    tag = "inter_token_latency"
    header = "Inter Token Latency"
    description = "Decode time per token after the first"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 400
    streaming_only = True
    stored = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds per token."""
        first = run.column("first_tokens") if run.osl_source == "usage" else 1
        steps = run.of(OutputSequenceLength) - first
        steps[run.messages < 2] = np.nan
        return ratio(run.of(DecodeDuration), steps)


class InterChunkLatency(BaseListMetric):
    """``[c_2 - c_1, c_3 - c_2, ...]``: 0 for messages that share a read (see the check `coalesced_share`)."""

    tag = "inter_chunk_latency"
    header = "Inter Chunk Latency"
    description = "Gaps between messages with content"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 410
    streaming_only = True
    hidden = True

    def lists(self, run: RunColumns) -> tuple[Floats, Int64]:
        """Return ``(m,)`` milliseconds, and ``(n,)`` how many of them each request has."""
        starts = run.batch.content_offsets[:-1][run.rows]
        held = np.where(run.good, run.messages, 0)
        stamps = run.batch.content_ns[_indices(starts, held)]
        gaps = np.diff(stamps) / 1e6
        # Between the last message of a request and the first of the next is no gap.
        inner = np.ones(len(gaps), dtype=np.bool_)
        inner[np.cumsum(held[held > 0])[:-1] - 1] = False
        return gaps[inner], np.maximum(held - 1, 0)


def _indices(starts: Int64, lengths: Int64) -> Int64 | slice:
    """Return the indices of all stretches, one after another; as a slice where they lie so."""
    used = lengths > 0
    starts, lengths = starts[used], lengths[used]
    if not len(starts):
        return slice(0, 0)
    ends = np.cumsum(lengths)
    if (starts[1:] == starts[:-1] + lengths[:-1]).all():
        return slice(int(starts[0]), int(starts[0] + ends[-1]))
    indices: Int64 = np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)
    return indices
