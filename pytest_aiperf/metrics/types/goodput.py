"""Requests that keep all limits of ``goodput``. The limits come with the run: two tests never share them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pytest_aiperf.metrics.base_metric import (
    BaseListMetric,
    BaseMetric,
    BaseRecordMetric,
    BaseRunMetric,
    BaseWindowMetric,
    Direction,
    Group,
)
from pytest_aiperf.metrics.registry import all_metrics
from pytest_aiperf.metrics.run_columns import RunColumns


class GoodRequestCount(BaseRunMetric):
    """Good requests that keep every limit: at most where less is better, at least where more is.

    A request without the metric does not keep its limit. All values of a list metric must keep it.
    """

    tag = "good_request_count"
    header = "Good Request Count"
    description = "Requests that keep all limits of goodput"
    unit = "requests"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "goodput"
    display_order = 1010
    slos_only = True

    def value(self, run: RunColumns) -> float | None:
        """Return the number of requests."""
        return float(np.count_nonzero(kept(run)))


class Goodput(BaseWindowMetric):
    """``good_request_count / window``."""

    tag = "goodput"
    header = "Goodput"
    description = "Requests per second that keep all limits of goodput"
    unit = "requests/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "goodput"
    display_order = 1000
    slos_only = True
    stored = True

    def amount(self, run: RunColumns) -> float | None:
        """Return the number of requests that keep all limits."""
        return float(np.count_nonzero(kept(run)))


class GoodRequestFraction(BaseRunMetric):
    """``good_request_count / completed_request_count``."""

    tag = "good_request_fraction"
    header = "Good Request Fraction"
    description = "Share of the completed requests that keep all limits of goodput"
    unit = "ratio"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "goodput"
    display_order = 1020
    slos_only = True

    def value(self, run: RunColumns) -> float | None:
        """Return the ratio; None where no request was completed."""
        completed = run.n_good + np.count_nonzero(run.failed)
        return float(np.count_nonzero(kept(run)) / completed) if completed else None


def kept(run: RunColumns) -> npt.NDArray[np.bool_]:
    """Return ``(n,)``: which requests are good and keep every limit."""
    good = run.good.copy()
    for tag, limit in run.context.slos.items():
        good &= _keeps(run, all_metrics()[tag], limit)
    return good


def _keeps(run: RunColumns, metric: BaseMetric, limit: float) -> npt.NDArray[np.bool_]:
    if isinstance(metric, BaseRecordMetric):
        return _within(run.of(metric), metric, limit)
    assert isinstance(metric, BaseListMetric)  # parse_slos lets no other kind through
    values, lengths = metric.lists(run)
    broken = np.repeat(np.arange(len(lengths)), lengths)[~_within(values, metric, limit)]
    keeps = lengths > 0
    keeps[broken] = False
    return keeps


def _within(values: npt.NDArray[np.float64], metric: BaseMetric, limit: float) -> npt.NDArray[np.bool_]:
    within: npt.NDArray[np.bool_] = values >= limit if metric.direction == "higher" else values <= limit
    return within
