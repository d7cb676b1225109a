"""What an open loop adds: how late requests were sent, and latencies that count the lateness.

`t_plan` is when the schedule wanted a request sent. A request that is late because all slots are taken, or because
the client could not keep up, has waited, and its user with it.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.metrics.base_metric import BaseRecordMetric, BaseRunMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns


class EffectiveLatency(BaseRecordMetric):
    """``c_last - t_plan``, without failed requests: `request_latency` and the lateness of the send."""

    tag = "effective_latency"
    header = "Effective Latency"
    description = "Due time to the last message with content"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "latency"
    display_order = 310
    open_loop_only = True
    stored = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t_plan"), run.last_ns)


class ReplaySendScheduleOffset(BaseRecordMetric):
    """``t0 - t_plan``: how late a request was sent. Not counted from the least one: a constant lag is a lag."""

    tag = "replay_send_schedule_offset"
    header = "Send Schedule Offset"
    description = "How late a request was sent"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "schedule"
    display_order = 1200
    open_loop_only = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` milliseconds."""
        return run.span_ms(run.column("t_plan"), run.column("t0"))


class ReplaySchedLagP50(BaseRunMetric):
    """Median of `replay_send_schedule_offset` over the run."""

    tag = "replay_sched_lag_p50"
    header = "Schedule Lag p50"
    description = "Median lateness of the sends"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "schedule"
    display_order = 1210
    open_loop_only = True
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return milliseconds."""
        return _lag(run, 50)


class ReplaySchedLagP90(BaseRunMetric):
    """90th percentile of `replay_send_schedule_offset` over the run."""

    tag = "replay_sched_lag_p90"
    header = "Schedule Lag p90"
    description = "90th percentile of the lateness"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "schedule"
    display_order = 1211
    open_loop_only = True
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return milliseconds."""
        return _lag(run, 90)


class ReplaySchedLagP99(BaseRunMetric):
    """99th percentile of `replay_send_schedule_offset` over the run."""

    tag = "replay_sched_lag_p99"
    header = "Schedule Lag p99"
    description = "99th percentile of the lateness"
    unit = "ms"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "schedule"
    display_order = 1212
    open_loop_only = True
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return milliseconds."""
        return _lag(run, 99)


def _lag(run: RunColumns, percent: float) -> float | None:
    offsets = run.of(ReplaySendScheduleOffset)
    known = offsets[~np.isnan(offsets)]
    return float(np.percentile(known, percent)) if known.size else None
