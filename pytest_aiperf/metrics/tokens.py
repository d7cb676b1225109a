"""Token counts of a run and where they come from. The result says which source was used."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import ABSENT, Outcome, RecordBatch
from pytest_aiperf.metrics.base_metric import Floats

TokenSource = Literal["usage", "content_messages", "absent"]


def osl_source(batch: RecordBatch) -> TokenSource:
    """Return ``usage`` when the server told it for every good request, else ``content_messages``.

    One source for the whole run: a mixture would compare counts of different things. Where every answer came in
    one message (not streamed, or buffered), their number says nothing about tokens: ``absent``.
    """
    ok = batch.outcome == Outcome.OK
    if not ok.any():
        return "absent"
    if not (ok & (batch.output_tokens == ABSENT)).any():
        return "usage"
    return "content_messages" if (batch.content_count()[ok] > 1).any() else "absent"


def counts(column: npt.NDArray[np.integer]) -> Floats:
    """Return a count column as floats, NaN where the count is absent."""
    found = column.astype(np.float64)
    found[column == ABSENT] = np.nan
    return found
