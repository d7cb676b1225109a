"""How much a reasoning model thinks for what it says."""

from __future__ import annotations

from typing import ClassVar

from pytest_aiperf.metrics.base_metric import BaseRecordMetric, BaseRunMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns, ratio
from pytest_aiperf.metrics.types.length import OutputTokenCount, ReasoningTokenCount


class ThinkingEfficiency(BaseRecordMetric):
    """``reasoning_token_count / output_token_count``."""

    tag = "thinking_efficiency"
    header = "Thinking Efficiency"
    description = "Reasoning tokens per output token of a request"
    unit = "ratio"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 680
    deterministic = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` ratios; NaN without output tokens."""
        return ratio(run.of(ReasoningTokenCount), run.of(OutputTokenCount))


class OverallThinkingEfficiency(BaseRunMetric):
    """``total_reasoning_tokens / total_output_tokens``."""

    tag = "overall_thinking_efficiency"
    header = "Overall Thinking Efficiency"
    description = "Reasoning tokens per output token of the run"
    unit = "ratio"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 690
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return the ratio; None where a request does not tell its tokens, or there are no output tokens."""
        reasoning = run.total(run.of(ReasoningTokenCount))
        output = run.total(run.of(OutputTokenCount))
        return reasoning / output if reasoning is not None and output else None
