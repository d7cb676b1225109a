"""Throughputs: an amount over the steady window. ``value x window = amount`` holds exactly."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import Outcome, RecordBatch
from pytest_aiperf.metrics.base_metric import BaseWindowMetric, Direction
from pytest_aiperf.metrics.tokens import osl_source, output_tokens


class RequestThroughput(BaseWindowMetric):
    """Good requests that were completed in the window, per second."""

    tag = "request_throughput"
    header = "Request Throughput"
    unit = "requests/s"
    direction: ClassVar[Direction] = "higher"
    display_order = 900

    def amount(self, batch: RecordBatch, inside: npt.NDArray[np.bool_]) -> float | None:
        """Return the number of good requests."""
        return float(np.count_nonzero(inside & (batch.outcome == Outcome.OK)))


class OutputTokenThroughput(BaseWindowMetric):
    """Output tokens of the good requests that were completed in the window, per second."""

    tag = "output_token_throughput"
    header = "Output Token Throughput"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    display_order = 800

    def amount(self, batch: RecordBatch, inside: npt.NDArray[np.bool_]) -> float | None:
        """Return the number of tokens; None when no source counts them."""
        if osl_source(batch) == "absent":
            return None
        good = inside & (batch.outcome == Outcome.OK)
        return float(np.nansum(output_tokens(batch)[good]))
