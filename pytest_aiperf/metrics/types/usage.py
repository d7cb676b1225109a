"""Token counts as the server's own `usage` tells them, whatever the other metrics count by."""

from __future__ import annotations

from typing import ClassVar

from pytest_aiperf.metrics.base_metric import BaseRecordMetric, BaseRunMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns


class UsagePromptCacheReadTokens(BaseRecordMetric):
    """Prompt tokens that the server had in a cache."""

    tag = "usage_prompt_cache_read_tokens"
    header = "Usage Prompt Cache Read Tokens"
    description = "Prompt tokens that the server had in a cache"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 720
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` tokens."""
        return run.told("cached_tokens")


class TotalUsagePromptTokens(BaseRunMetric):
    """``sum(usage.prompt_tokens)`` over the good requests; absent where one does not tell it."""

    tag = "total_usage_prompt_tokens"
    header = "Total Usage Prompt Tokens"
    description = "Prompt tokens of the run, as usage tells them"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 730
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return tokens."""
        return run.total(run.told("input_tokens"))


class TotalUsageCompletionTokens(BaseRunMetric):
    """``sum(usage.completion_tokens)``, reasoning included."""

    tag = "total_usage_completion_tokens"
    header = "Total Usage Completion Tokens"
    description = "Completion tokens of the run, as usage tells them"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 731
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return tokens."""
        return run.total(run.told("output_tokens"))


class TotalUsageTotalTokens(BaseRunMetric):
    """``sum(usage.prompt_tokens + usage.completion_tokens)``."""

    tag = "total_usage_total_tokens"
    header = "Total Usage Total Tokens"
    description = "All tokens of the run, as usage tells them"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 732
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return tokens."""
        return run.total(run.told("input_tokens") + run.told("output_tokens"))


class TotalUsageReasoningTokens(BaseRunMetric):
    """``sum(usage.completion_tokens_details.reasoning_tokens)``."""

    tag = "total_usage_reasoning_tokens"
    header = "Total Usage Reasoning Tokens"
    description = "Reasoning tokens of the run, as usage tells them"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 733
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return tokens."""
        return run.total(run.told("reasoning_tokens"))


class TotalUsagePromptCacheReadTokens(BaseRunMetric):
    """``sum(usage_prompt_cache_read_tokens)``."""

    tag = "total_usage_prompt_cache_read_tokens"
    header = "Total Usage Prompt Cache Read Tokens"
    description = "Cached prompt tokens of the run, as usage tells them"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 734
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return tokens."""
        return run.total(run.of(UsagePromptCacheReadTokens))


class OverallUsagePromptCacheReadPct(BaseRunMetric):
    """``100 x total_usage_prompt_cache_read_tokens / total_usage_prompt_tokens``.

    Neutral: a prefix cache that serves one run with the work of another makes figures better and says nothing good.
    """

    tag = "overall_usage_prompt_cache_read_pct"
    header = "Overall Usage Prompt Cache Read"
    description = "Share of the prompt tokens that the server had in a cache"
    unit = "%"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 735
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return percent; None where a good request does not tell one of the two, or there are no prompt tokens."""
        cached = run.total(run.of(UsagePromptCacheReadTokens))
        prompt = run.total(run.told("input_tokens"))
        return 100.0 * cached / prompt if cached is not None and prompt else None
