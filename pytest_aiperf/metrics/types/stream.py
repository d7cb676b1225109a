"""The two halves of the time to first token: until the stream is open, and from there to its first content.

They say something only about servers that send the response head before the first token is ready.
"""

from __future__ import annotations

from typing import ClassVar

from pytest_aiperf.metrics.base_metric import BaseRecordMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns


class StreamSetupLatency(BaseRecordMetric):
    """``t_hdr - t0``: to the end of the response head."""

    tag = "stream_setup_latency"
    header = "Stream Setup Latency"
    description = "First byte sent to the end of the response head"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 110
    streaming_only = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t0"), run.column("t_hdr"))


class StreamPrefillLatency(BaseRecordMetric):
    """``c_1 - t_hdr``: `time_to_first_token` without `stream_setup_latency`."""

    tag = "stream_prefill_latency"
    header = "Stream Prefill Latency"
    description = "Response head to the first message with content"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 120
    streaming_only = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t_hdr"), run.first_ns)
