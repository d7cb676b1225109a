"""Sequence lengths of a request. Neutral: neither longer nor shorter is better."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.common.records import Outcome, RecordBatch
from pytest_aiperf.metrics.base_metric import BaseRecordMetric, Direction, Floats
from pytest_aiperf.metrics.tokens import counts, output_tokens


class _Length(BaseRecordMetric):
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    deterministic = True


class OutputSequenceLength(_Length):
    """Output tokens, reasoning included: from the server's usage, else content messages (see `osl_source`)."""

    tag = "output_sequence_length"
    header = "Output Sequence Length"
    display_order = 600

    def values(self, batch: RecordBatch) -> Floats:
        """Return ``(n,)`` tokens of the good requests."""
        return np.where(batch.outcome == Outcome.OK, output_tokens(batch), np.nan)


class InputSequenceLength(_Length):
    """Prompt tokens as the server's usage tells them; absent where it does not."""

    tag = "input_sequence_length"
    header = "Input Sequence Length"
    display_order = 700

    def values(self, batch: RecordBatch) -> Floats:
        """Return ``(n,)`` tokens of the good requests."""
        return np.where(batch.outcome == Outcome.OK, counts(batch.input_tokens), np.nan)
