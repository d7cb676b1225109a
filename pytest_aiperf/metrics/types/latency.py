"""Latencies of a request, from the stamps of its record. Failed requests have none (NaN)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.common.records import ABSENT, Int64, Outcome, RecordBatch
from pytest_aiperf.metrics.base_metric import BaseRecordMetric, Direction, Floats
from pytest_aiperf.metrics.tokens import first_tokens, output_tokens


class _Latency(BaseRecordMetric):
    """Milliseconds, lower is better."""

    unit = "ms"
    direction: ClassVar[Direction] = "lower"


class TimeToFirstToken(_Latency):
    """``c_1 - t0``: from the first byte handed to the socket to the first message with content."""

    tag = "time_to_first_token"
    header = "Time to First Token"
    streaming_only = True
    display_order = 100

    def values(self, batch: RecordBatch) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return _span_ms(batch, batch.t0, batch.content_at(0))


class TimeToSecondToken(_Latency):
    """``c_2 - c_1``."""

    tag = "time_to_second_token"
    header = "Time to Second Token"
    streaming_only = True
    display_order = 200

    def values(self, batch: RecordBatch) -> Floats:
        """Return ``(n,)`` milliseconds; NaN with fewer than two content messages."""
        return _span_ms(batch, batch.content_at(0), batch.content_at(1))


class RequestLatency(_Latency):
    """``c_last - t0``: to the last message with content, so that usage and closing messages do not count."""

    tag = "request_latency"
    header = "Request Latency"
    display_order = 300

    def values(self, batch: RecordBatch) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return _span_ms(batch, batch.t0, batch.content_at(-1))


class InterTokenLatency(_Latency):
    """``(request_latency - TTFT) / (OSL - n_1)``, n_1 the tokens of the first content message; OSL >= 2.

    It rests on the first and the last arrival only, so messages that share a read do not distort it.
    """

    tag = "inter_token_latency"
    header = "Inter Token Latency"
    streaming_only = True
    display_order = 400

    def values(self, batch: RecordBatch) -> Floats:
        """Return ``(n,)`` milliseconds per token."""
        decode_ms = _span_ms(batch, batch.content_at(0), batch.content_at(-1))
        osl = output_tokens(batch)
        steps = osl - first_tokens(batch)
        usable = (steps > 0) & (batch.content_count() >= 2)
        per_token: Floats = np.divide(decode_ms, steps, out=np.full(len(batch), np.nan), where=usable)
        return per_token


def _span_ms(batch: RecordBatch, start: Int64, end: Int64) -> Floats:
    known = (start != ABSENT) & (end != ABSENT) & (batch.outcome == Outcome.OK)
    spans: Floats = np.where(known, (end - start) / 1e6, np.nan)
    return spans
