"""Throughputs: an amount over the steady window. ``value x window = amount`` holds exactly."""

from __future__ import annotations

from typing import ClassVar

from pytest_aiperf.metrics.base_metric import BaseWindowMetric, Direction, Group
from pytest_aiperf.metrics.run_columns import RunColumns
from pytest_aiperf.metrics.types.length import InputSequenceLength, OutputSequenceLength


class RequestThroughput(BaseWindowMetric):
    """``request_count / window``: good requests per second."""

    tag = "request_throughput"
    header = "Request Throughput"
    description = "Requests per second of the steady window"
    unit = "requests/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "throughput"
    display_order = 900
    stored = True

    def amount(self, run: RunColumns) -> float | None:
        """Return the number of good requests."""
        return float(run.n_good)


class OutputTokenThroughput(BaseWindowMetric):
    """``total_osl / window``."""

    tag = "output_token_throughput"
    header = "Output Token Throughput"
    description = "Output tokens per second of the steady window"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "throughput"
    display_order = 800
    stored = True

    def amount(self, run: RunColumns) -> float | None:
        """Return the number of tokens; None when no source counts them."""
        return run.total(run.of(OutputSequenceLength))


class InputTokenThroughput(BaseWindowMetric):
    """``total_isl / window``."""

    tag = "input_token_throughput"
    header = "Input Token Throughput"
    description = "Prompt tokens per second of the steady window"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "throughput"
    display_order = 805
    stored = True
    hidden = True

    def amount(self, run: RunColumns) -> float | None:
        """Return the number of tokens; None when the server does not tell them."""
        return run.total(run.of(InputSequenceLength))


class TotalTokenThroughput(BaseWindowMetric):
    """``(total_isl + total_osl) / window``."""

    tag = "total_token_throughput"
    header = "Total Token Throughput"
    description = "Prompt and output tokens per second of the steady window"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "throughput"
    display_order = 810
    stored = True
    hidden = True

    def amount(self, run: RunColumns) -> float | None:
        """Return the number of tokens; None when one of the two is not known."""
        return run.total(run.of(InputSequenceLength) + run.of(OutputSequenceLength))
