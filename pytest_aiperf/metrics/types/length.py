"""Sequence lengths of a request. Neutral: neither longer nor shorter is better."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.metrics.base_metric import BaseRecordMetric, BaseRunMetric, Direction, Floats, Group
from pytest_aiperf.metrics.run_columns import RunColumns

MISMATCH_SHARE = 0.05
MISMATCH_TOKENS = 50.0
"""An answer is of another length than was asked when it is off by more than the lesser of the two."""


class OutputSequenceLength(BaseRecordMetric):
    """Output tokens, reasoning included: from the server's usage, else content messages (see `osl_source`)."""

    tag = "output_sequence_length"
    header = "Output Sequence Length"
    description = "Output tokens per request"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 600
    deterministic = True
    stored = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` tokens."""
        if run.osl_source == "usage":
            return run.told("output_tokens")
        known = run.good & (run.messages > 0) if run.osl_source == "content_messages" else False
        return np.where(known, run.messages, np.nan)


class OutputTokenCount(BaseRecordMetric):
    """Output tokens without reasoning: ``OSL - reasoning_token_count``.

    Where the server does not tell reasoning tokens, all are output if the first content was; else it is absent.
    """

    tag = "output_token_count"
    header = "Output Token Count"
    description = "Output tokens per request without reasoning"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 610
    deterministic = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` tokens."""
        without = np.where(run.column("t_output") == run.first_ns, 0.0, np.nan)
        reasoning = run.of(ReasoningTokenCount)
        return run.of(OutputSequenceLength) - np.where(np.isnan(reasoning), without, reasoning)


class ReasoningTokenCount(BaseRecordMetric):
    """Reasoning tokens as the server's usage tells them."""

    tag = "reasoning_token_count"
    header = "Reasoning Token Count"
    description = "Reasoning tokens per request"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 620
    deterministic = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` tokens."""
        return run.told("reasoning_tokens")


class InputSequenceLength(BaseRecordMetric):
    """Prompt tokens as the server's usage tells them; absent where it does not."""

    tag = "input_sequence_length"
    header = "Input Sequence Length"
    description = "Prompt tokens per request"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 700
    deterministic = True
    stored = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` tokens."""
        return run.told("input_tokens")


class OslMismatchDiff(BaseRecordMetric):
    """``100 x (OSL - asked) / asked``: negative where the answer is shorter than was asked."""

    tag = "osl_mismatch_diff_pct"
    header = "OSL Mismatch"
    description = "Output tokens against what was asked for"
    unit = "%"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "tokens"
    display_order = 630
    deterministic = True
    hidden = True

    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` percent; NaN where no length is asked for."""
        asked = run.context.asked_osl
        if not asked:
            return np.full(len(run), np.nan)
        return 100.0 * (run.of(OutputSequenceLength) - asked) / asked


class OslMismatchCount(BaseRunMetric):
    """Requests with ``|OSL - asked| > min(5 % of asked, 50 tokens)``."""

    tag = "osl_mismatch_count"
    header = "OSL Mismatch Count"
    description = "Requests whose output is of another length than was asked for"
    unit = "requests"
    direction: ClassVar[Direction] = "lower"
    group: ClassVar[Group] = "tokens"
    display_order = 640
    hidden = True

    def value(self, run: RunColumns) -> float | None:
        """Return the number of requests; None where lengths are not asked for, or not known."""
        asked, lengths = run.context.asked_osl, run.of(OutputSequenceLength)
        if not asked or np.isnan(lengths).all():
            return None
        allowed = min(asked * MISMATCH_SHARE, MISMATCH_TOKENS)
        return float(np.count_nonzero(np.abs(lengths - asked) > allowed))
