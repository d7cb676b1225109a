"""Token counts of a run and where they come from. The result says which source was used."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome, RecordBatch
from pytest_aiperf.metrics.base_metric import Floats

TokenSource = Literal["usage", "content_messages", "absent"]


def output_tokens(batch: RecordBatch) -> Floats:
    """Return ``(n,)`` output tokens, reasoning included, by the one source that the whole run has (`osl_source`)."""
    source = osl_source(batch)
    if source == "usage":
        return counts(batch.output_tokens)
    messages = batch.content_count() if source == "content_messages" else np.zeros(len(batch))
    return np.where(messages == 0, np.nan, messages).astype(np.float64)


def osl_source(batch: RecordBatch) -> TokenSource:
    """Return ``usage`` when the server told it for every good request, else ``content_messages``.

    One source for the whole run: a mixture would compare counts of different things. Where every answer came in
    one message (not streamed, or buffered), their number says nothing about tokens: ``absent``.
    """
    ok = batch.outcome == Outcome.OK
    if not ok.any():
        return "absent"
    if (batch.output_tokens[ok] != ABSENT).all():
        return "usage"
    return "content_messages" if (batch.content_count()[ok] > 1).any() else "absent"


def first_tokens(batch: RecordBatch) -> Floats:
    """Return ``(n,)`` tokens of the first content message, in the unit of `output_tokens`."""
    counted = batch.first_tokens if osl_source(batch) == "usage" else np.ones(len(batch))
    return counted.astype(np.float64)


def counts(column: np.ndarray) -> Floats:
    """Return a count column as floats, NaN where the count is absent."""
    return np.where(column == ABSENT, np.nan, column).astype(np.float64)
