"""Sums over the good requests of a run. Absent where one of them does not tell its count: then it is no total."""

from __future__ import annotations

from typing import ClassVar

from pytest_aiperf.metrics.base_metric import BaseRunMetric, Direction, Group
from pytest_aiperf.metrics.run_columns import RunColumns
from pytest_aiperf.metrics.types.length import (
    InputSequenceLength,
    OutputSequenceLength,
    OutputTokenCount,
    ReasoningTokenCount,
)


class TotalIsl(BaseRunMetric):
    """``sum(ISL)``."""

    tag = "total_isl"
    header = "Total Input Sequence Length"
    description = "Prompt tokens of the run"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 710
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return tokens."""
        return run.total(run.of(InputSequenceLength))


class TotalOsl(BaseRunMetric):
    """``sum(OSL)``."""

    tag = "total_osl"
    header = "Total Output Sequence Length"
    description = "Output tokens of the run"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 650
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return tokens."""
        return run.total(run.of(OutputSequenceLength))


class TotalOutputTokens(BaseRunMetric):
    """``sum(output_token_count)``."""

    tag = "total_output_tokens"
    header = "Total Output Tokens"
    description = "Output tokens of the run without reasoning"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 660
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return tokens."""
        return run.total(run.of(OutputTokenCount))


class TotalReasoningTokens(BaseRunMetric):
    """``sum(reasoning_token_count)``."""

    tag = "total_reasoning_tokens"
    header = "Total Reasoning Tokens"
    description = "Reasoning tokens of the run"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 670
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return tokens."""
        return run.total(run.of(ReasoningTokenCount))
