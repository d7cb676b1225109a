"""The measured requests of one run, as the metrics read them. What several metrics need is computed once.

Costs a few milliseconds per metric and million requests. Where the measured requests are a stretch of the recorded
ones, as in a closed loop, the columns are views of the recorded ones and not copies.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import ABSENT, Int64, Outcome, RecordBatch
from pytest_aiperf.metrics.base_metric import (
    BaseLevelMetric,
    BaseRecordMetric,
    Floats,
    Levels,
    MetricContext,
    Window,
)
from pytest_aiperf.metrics.tokens import TokenSource, counts, osl_source

Rows = slice | npt.NDArray[np.intp]


class RunColumns:
    """Columns of the measured requests, shape ``(n,)``, in the order of completion."""

    def __init__(
        self,
        batch: RecordBatch,
        *,
        rows: Rows = slice(None),
        window: Window = Window(0, 0),  # noqa: B008 (frozen)
        context: MetricContext = MetricContext(),  # noqa: B008 (frozen)
    ) -> None:
        self.batch = batch
        """All requests of the run, those outside the window too."""
        self.window = window
        self.context = context
        self.rows = rows
        self._values: dict[str, Floats] = {}
        self._levels: dict[str, Levels | None] = {}

    def __len__(self) -> int:
        return len(self.outcome)

    def of(self, metric: BaseRecordMetric | type[BaseRecordMetric]) -> Floats:
        """Return ``(n,)`` values of a metric, NaN where a request has none."""
        if metric.tag not in self._values:
            self._values[metric.tag] = (metric() if isinstance(metric, type) else metric).values(self)
        return self._values[metric.tag]

    def levels_of(self, metric: BaseLevelMetric | type[BaseLevelMetric]) -> Levels | None:
        """Return the time that the window spends at each level of a metric; None where it was not measured."""
        if metric.tag not in self._levels:
            self._levels[metric.tag] = (metric() if isinstance(metric, type) else metric).levels(self)
        return self._levels[metric.tag]

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column of the records."""
        taken: npt.NDArray[Any] = getattr(self.batch, name)[self.rows]
        return taken

    @cached_property
    def outcome(self) -> npt.NDArray[np.int8]:
        """What became of each request."""
        return self.column("outcome")

    @cached_property
    def good(self) -> npt.NDArray[np.bool_]:
        """Which requests have values at all: those that ended well."""
        good: npt.NDArray[np.bool_] = self.outcome == Outcome.OK
        return good

    @cached_property
    def failed(self) -> npt.NDArray[np.bool_]:
        """Which failed: with an error, or with a stream that was cut off. A cancelled request did not."""
        failed: npt.NDArray[np.bool_] = (self.outcome == Outcome.ERROR) | (self.outcome == Outcome.TRUNCATED)
        return failed

    @cached_property
    def n_good(self) -> int:
        """Number of good requests."""
        return int(np.count_nonzero(self.good))

    @cached_property
    def messages(self) -> Int64:
        """Content messages of each request."""
        return self.batch.content_offsets[1:][self.rows] - self.batch.content_offsets[:-1][self.rows]

    @cached_property
    def first_ns(self) -> Int64:
        """Stamp of the first content message, or `ABSENT`."""
        return self._content_at(self.batch.content_offsets[:-1][self.rows], at_least=1)

    @cached_property
    def second_ns(self) -> Int64:
        """Stamp of the second content message, or `ABSENT`."""
        return self._content_at(self.batch.content_offsets[:-1][self.rows] + 1, at_least=2)

    @cached_property
    def last_ns(self) -> Int64:
        """Stamp of the last content message, or `ABSENT`."""
        return self._content_at(self.batch.content_offsets[1:][self.rows] - 1, at_least=1)

    @cached_property
    def osl_source(self) -> TokenSource:
        """Where output tokens of this run are counted."""
        source = osl_source(self.batch)
        return "absent" if source == "content_messages" and not self.context.produces_tokens else source

    def span_ms(self, start: Int64, end: Int64) -> Floats:
        """Return milliseconds from one stamp to another; NaN where one is absent or the request is not good."""
        known = self.good & (start != ABSENT) & (end != ABSENT)
        spans: Floats = (end - start) / 1e6
        spans[~known] = np.nan
        return spans

    def told(self, name: str) -> Floats:
        """Return a count that the server tells; NaN where it does not or the request is not good."""
        found = counts(self.column(name))
        found[~self.good] = np.nan
        return found

    def total(self, values: Floats) -> float | None:
        """Return the sum over the good requests; None where there is none, or one of them has no value."""
        of_good = values[self.good]
        return float(of_good.sum()) if of_good.size and not np.isnan(of_good).any() else None

    def _content_at(self, where: Int64, *, at_least: int) -> Int64:
        has = self.messages >= at_least
        if has.all():
            return self.batch.content_ns[where]
        stamps = np.full(len(self), ABSENT, dtype=np.int64)
        stamps[has] = self.batch.content_ns[where[has]]
        return stamps


def ratio(amount: Floats, per: Floats) -> Floats:
    """Return ``amount / per``; NaN where either is, and where `per` is not above 0."""
    quotient: Floats = np.divide(amount, per, out=np.full(len(per), np.nan), where=per > 0)
    return quotient
