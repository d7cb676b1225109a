"""Latencies in which a failed request is infinitely slow, so that a server does not look faster by failing.

They exist only where requests failed; without failures they would repeat the plain metrics. Percentiles are
nearest-rank: p95 is infinite when more than 5 % failed.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.metrics.base_metric import BaseRecordMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns
from pytest_aiperf.metrics.types.latency import (
    DecodeDuration,
    InterTokenLatency,
    RequestLatency,
    TimeToFirstToken,
)


class AdjRequestLatency(BaseRecordMetric):
    """`request_latency`, +inf for a failed request."""

    tag = "adj_request_latency"
    header = "Request Latency (adjusted)"
    description = "Request latency, failed requests infinitely slow"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 301
    counts_failed = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return _adjusted(run, RequestLatency)


class AdjTimeToFirstToken(BaseRecordMetric):
    """`time_to_first_token`, +inf for a failed request."""

    tag = "adj_time_to_first_token"
    header = "Time to First Token (adjusted)"
    description = "Time to first token, failed requests infinitely slow"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 101
    streaming_only = True
    counts_failed = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return _adjusted(run, TimeToFirstToken)


class AdjInterTokenLatency(BaseRecordMetric):
    """`inter_token_latency`, +inf for a failed request."""

    tag = "adj_inter_token_latency"
    header = "Inter Token Latency (adjusted)"
    description = "Inter token latency, failed requests infinitely slow"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 401
    streaming_only = True
    counts_failed = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return _adjusted(run, InterTokenLatency)


class AdjDecodeDuration(BaseRecordMetric):
    """`decode_duration`, +inf for a failed request."""

    tag = "adj_decode_duration"
    header = "Decode Duration (adjusted)"
    description = "Decode duration, failed requests infinitely slow"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 351
    streaming_only = True
    counts_failed = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return _adjusted(run, DecodeDuration)


def _adjusted(run: RunColumns, plain: type[BaseRecordMetric]) -> Floats:
    if not run.failed.any():
        return np.full(len(run), np.nan)
    return np.where(run.failed, np.inf, run.of(plain))
