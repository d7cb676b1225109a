"""How many requests were at work at once, over the time of the window.

All requests that were in flight in the window count, also those of the warm-up and the drain, and those that failed:
the server worked on them. `effective_` metrics look at the whole window, `active_` ones at the time in which there
was any such request.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.common.records import ABSENT, Int64, RecordBatch
from pytest_aiperf.metrics.base_metric import BaseLevelMetric, Direction, Group, Levels
from pytest_aiperf.metrics.run_columns import RunColumns
from pytest_aiperf.metrics.sweep import time_at_levels


class EffectiveConcurrency(BaseLevelMetric):
    """Requests between `t0` and `t_end`."""

    tag = "effective_concurrency"
    header = "Effective Concurrency"
    description = "Requests in flight over time"
    unit = "requests"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "concurrency"
    display_order = 1300
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each number of requests."""
        return time_at_levels(run.batch.t0, run.batch.t_end, run.window)


class EffectivePrefillConcurrency(BaseLevelMetric):
    """Requests between `t0` and their first content, or their end where none came."""

    tag = "effective_prefill_concurrency"
    header = "Effective Prefill Concurrency"
    description = "Requests before their first content over time"
    unit = "requests"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "concurrency"
    display_order = 1310
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each number of requests."""
        return time_at_levels(*prefill(run.batch), run.window)


class EffectiveDecodeConcurrency(BaseLevelMetric):
    """Requests between their first and their last content."""

    tag = "effective_decode_concurrency"
    header = "Effective Decode Concurrency"
    description = "Requests in decode over time"
    unit = "requests"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "concurrency"
    display_order = 1320
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each number of requests."""
        return time_at_levels(*decode(run.batch), run.window)


class ActivePrefillConcurrency(BaseLevelMetric):
    """`effective_prefill_concurrency` over the time in which at least one request waited for its first content."""

    tag = "active_prefill_concurrency"
    header = "Active Prefill Concurrency"
    description = "Requests before their first content, while there are any"
    unit = "requests"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "concurrency"
    display_order = 1311
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each number of requests."""
        return while_busy(run, EffectivePrefillConcurrency)


class ActiveDecodeConcurrency(BaseLevelMetric):
    """`effective_decode_concurrency` over the time in which at least one request was in decode."""

    tag = "active_decode_concurrency"
    header = "Active Decode Concurrency"
    description = "Requests in decode, while there are any"
    unit = "requests"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "concurrency"
    display_order = 1321
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each number of requests."""
        return while_busy(run, EffectiveDecodeConcurrency)


def prefill(batch: RecordBatch) -> tuple[Int64, Int64]:
    """Return ``(n,)`` beginnings and ends of the prefill of every request of a run."""
    first = batch.content_at(0)
    return batch.t0, np.where(first == ABSENT, batch.t_end, first)


def decode(batch: RecordBatch) -> tuple[Int64, Int64]:
    """Return ``(n,)`` beginnings and ends of the decode of every request of a run, `ABSENT` without content."""
    return batch.content_at(0), batch.content_at(-1)


def while_busy(run: RunColumns, effective: type[BaseLevelMetric]) -> Levels | None:
    """Return the levels of a metric over the time in which a request made them."""
    levels = run.levels_of(effective)
    return levels.while_busy() if levels is not None else None
