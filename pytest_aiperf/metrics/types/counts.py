"""How many requests ended how, and how long it took. A count of none is 0, never absent."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.metrics.base_metric import BaseRunMetric, Direction, Group
from pytest_aiperf.metrics.run_columns import RunColumns


class RequestCount(BaseRunMetric):
    """Good requests."""

    tag = "request_count"
    header = "Request Count"
    description = "Good requests"
    unit = "requests"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "requests"
    display_order = 1100

    def value(self, run: RunColumns) -> float | None:
        """Return the number of requests."""
        return float(run.n_good)


class ErrorRequestCount(BaseRunMetric):
    """Failed requests: errors and truncated streams."""

    tag = "error_request_count"
    header = "Error Request Count"
    description = "Failed requests"
    unit = "requests"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "requests"
    display_order = 1110

    def value(self, run: RunColumns) -> float | None:
        """Return the number of requests."""
        return float(np.count_nonzero(run.failed))


class CompletedRequestCount(BaseRunMetric):
    """``request_count + error_request_count``."""

    tag = "completed_request_count"
    header = "Completed Request Count"
    description = "Good and failed requests"
    unit = "requests"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "requests"
    display_order = 1075
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return the number of requests."""
        return float(run.n_good + np.count_nonzero(run.failed))


class TruncatedRequestCount(BaseRunMetric):
    """Streams that ended without saying that they were complete; `error_request_count` holds them too."""

    tag = "truncated_request_count"
    header = "Truncated Request Count"
    description = "Streams that ended too early"
    unit = "requests"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "requests"
    display_order = 1120
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return the number of requests."""
        return float(np.count_nonzero(run.outcome == Outcome.TRUNCATED))


class CancelledRequestCount(BaseRunMetric):
    """Requests that the load itself cancelled; they are neither good nor failed."""

    tag = "cancelled_request_count"
    header = "Cancelled Request Count"
    description = "Requests that the load cancelled"
    unit = "requests"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "requests"
    display_order = 1130
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return the number of requests."""
        return float(np.count_nonzero(run.outcome == Outcome.CANCELLED))


class RequestErrorRate(BaseRunMetric):
    """``100 x error_request_count / completed_request_count``."""

    tag = "request_error_rate"
    header = "Request Error Rate"
    description = "Share of the completed requests that failed"
    unit = "%"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "requests"
    display_order = 1080

    def value(self, run: RunColumns) -> float | None:
        """Return percent; None where no request was completed."""
        failed = np.count_nonzero(run.failed)
        completed = run.n_good + failed
        return float(100.0 * failed / completed) if completed else None


class BenchmarkDuration(BaseRunMetric):
    """``max(c_last) - min(t0)`` over the good requests. Throughputs rest on the window, not on this."""

    tag = "benchmark_duration"
    header = "Benchmark Duration"
    description = "First send to last content of the good requests"
    unit = "s"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "requests"
    display_order = 1140
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return seconds; None where no good request had content."""
        answered = run.good & (run.last_ns != ABSENT)
        if not answered.any():
            return None
        return float(run.last_ns[answered].max() - run.column("t0")[answered].min()) / 1e9
