"""Token counts of a run and where they come from. The result says which source was used."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome, RecordBatch
from pytest_aiperf.metrics.base_metric import Floats

TokenSource = Literal["usage", "content_messages", "absent"]


def output_tokens(batch: RecordBatch) -> Floats:
    """Return ``(n,)`` output tokens, reasoning included, by the one source that the whole run has (`osl_source`)."""
    if osl_source(batch) == "usage":
        return counts(batch.output_tokens)
    return _absent_as_nan(batch.content_count().astype(np.float64), zero_is_absent=True)


def osl_source(batch: RecordBatch) -> TokenSource:
    """Return ``usage`` when the server told it for every good request, else ``content_messages``.

    One source for the whole run: a mixture would compare counts of different things.
    """
    ok = batch.outcome == Outcome.OK
    if not ok.any():
        return "absent"
    return "usage" if (batch.output_tokens[ok] != ABSENT).all() else "content_messages"


def isl_source(batch: RecordBatch) -> TokenSource:
    """Return ``usage`` when the server told it for every good request, else ``absent``."""
    ok = batch.outcome == Outcome.OK
    return "usage" if ok.any() and (batch.input_tokens[ok] != ABSENT).all() else "absent"


def counts(column: np.ndarray) -> Floats:
    """Return a count column as floats, NaN where the count is absent."""
    return np.where(column == ABSENT, np.nan, column).astype(np.float64)


def _absent_as_nan(values: Floats, *, zero_is_absent: bool) -> Floats:
    return np.where(values == 0, np.nan, values) if zero_is_absent else values
