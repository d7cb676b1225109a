"""Rates that one user sees, request by request."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.metrics.base_metric import BaseRecordMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns, ratio
from pytest_aiperf.metrics.types.latency import InterTokenLatency, RequestLatency, TimeToFirstToken
from pytest_aiperf.metrics.types.length import InputSequenceLength, OutputSequenceLength


class OutputTokenThroughputPerUser(BaseRecordMetric):
    """``1 / ITL``, ITL in seconds; absent where the ITL is 0."""

    tag = "output_token_throughput_per_user"
    header = "Output Token Throughput per User"
    description = "Tokens per second that one user sees after the first"
    unit = "tokens/s/user"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "throughput"
    display_order = 500
    streaming_only = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` tokens per second."""
        return ratio(np.full(len(run), 1e3), run.of(InterTokenLatency))


class E2eOutputTokenThroughput(BaseRecordMetric):
    """``OSL / request_latency``, the latency in seconds."""

    tag = "e2e_output_token_throughput"
    header = "E2E Output Token Throughput"
    description = "Output tokens per second of request latency"
    unit = "tokens/s/user"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "throughput"
    display_order = 510

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` tokens per second."""
        return ratio(run.of(OutputSequenceLength) * 1e3, run.of(RequestLatency))


class PrefillThroughputPerUser(BaseRecordMetric):
    """``ISL / time_to_first_token``, the TTFT in seconds. What waits in the server's queue counts as prefill."""

    tag = "prefill_throughput_per_user"
    header = "Prefill Throughput per User"
    description = "Prompt tokens per second of time to first token"
    unit = "tokens/s/user"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "throughput"
    display_order = 520
    streaming_only = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` tokens per second."""
        return ratio(run.of(InputSequenceLength) * 1e3, run.of(TimeToFirstToken))
