"""From the columns of one run to its summary: warm-up and drain cut, metrics computed, statistics taken.

The summary is what the judge reads and a baseline keeps. Every other metric is computed when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pytest_aiperf.baseline.schema import Distribution, Histogram, Run, SingleValue, Stalls
from pytest_aiperf.common.finite import is_finite_value
from pytest_aiperf.common.records import RecordBatch
from pytest_aiperf.judge.histogram import log_histogram
from pytest_aiperf.judge.run_summary import min_requests, run_stats
from pytest_aiperf.judge.stall_gate import STALL_FACTOR
from pytest_aiperf.measure.run_window import RunWindow
from pytest_aiperf.metrics.base_metric import (
    BaseLevelMetric,
    BaseListMetric,
    BaseMetric,
    BaseRecordMetric,
    BaseRunMetric,
    Floats,
    Levels,
    MetricContext,
    Window,
)
from pytest_aiperf.metrics.registry import all_metrics
from pytest_aiperf.metrics.run_columns import RunColumns

JUDGEABLE: Final = ("avg", "p50", "p90", "p95", "p99")
STALL_METRIC: Final = "request_latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """One run, summarised. `values` keep the order of completion."""

    batch: RecordBatch
    columns: RunColumns
    """The measured requests."""
    inside: npt.NDArray[np.bool_]
    """``(n,)``: which rows of the batch are measured."""
    window: Window
    values: Mapping[str, Floats]
    """By tag: the values of the measured requests, one for metrics with one per run; computed when asked for."""
    summary: Run


class RunValues(Mapping[str, Floats]):
    """Values by tag of all metrics but levels, without those that are absent; empty where all are."""

    def __init__(self, columns: RunColumns) -> None:
        self._columns = columns

    def __getitem__(self, tag: str) -> Floats:
        metric = all_metrics().get(tag)
        if metric is None or not self._has(metric):
            raise KeyError(tag)
        if isinstance(metric, BaseRunMetric):
            value = metric.value(self._columns)
            return np.array([value] if is_finite_value(value) else [], dtype=np.float64)
        if isinstance(metric, BaseListMetric):
            return metric.lists(self._columns)[0]
        assert isinstance(metric, BaseRecordMetric)
        values = self._columns.of(metric)
        absent = np.isnan(values)
        return values[~absent] if absent.any() else values

    def __contains__(self, tag: object) -> bool:
        return isinstance(tag, str) and (metric := all_metrics().get(tag)) is not None and self._has(metric)

    def __iter__(self) -> Iterator[str]:
        return (tag for tag, metric in all_metrics().items() if self._has(metric))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _has(self, metric: BaseMetric) -> bool:
        return metric.applies_to(self._columns.context) and not isinstance(metric, BaseLevelMetric)


def summarise(
    batch: RecordBatch,
    run_window: RunWindow,
    *,
    context: MetricContext,
    stall_threshold_ms: float | None,
) -> RunData:
    """Return the run's summary over its measured requests."""
    rows, window = run_window.of(batch)
    columns = RunColumns(batch, rows=rows, window=window, context=context)
    inside = np.zeros(len(batch), dtype=np.bool_)
    inside[rows] = True
    n_err = int(np.count_nonzero(columns.failed))
    values = RunValues(columns)
    summary = Run(
        n_ok=columns.n_good,
        n_err=n_err,
        window_s=window.seconds,
        metrics=_stored(columns, values, n_err=n_err),
        stalls=count_stalls(values[STALL_METRIC], stall_threshold_ms),
    )
    return RunData(batch=batch, columns=columns, inside=inside, window=window, values=values, summary=summary)


def pooled_values(runs: Sequence[RunData]) -> Mapping[str, Floats]:
    """Return by tag the values of all runs, in order; a run that lacks a metric adds nothing to it."""
    tags = dict.fromkeys(tag for run in runs for tag in run.values)
    return {tag: np.concatenate([run.values[tag] for run in runs if tag in run.values]) for tag in tags}


def pooled_levels(runs: Sequence[RunData]) -> Mapping[str, Levels]:
    """Return by tag the levels of all runs; a run that lacks a metric adds nothing to it."""
    pooled: dict[str, Levels] = {}
    for tag, metric in all_metrics().items():
        if not isinstance(metric, BaseLevelMetric):
            continue
        found = [
            levels
            for run in runs
            if metric.applies_to(run.columns.context) and (levels := run.columns.levels_of(metric))
        ]
        if found:
            pooled[tag] = Levels(
                level=np.concatenate([levels.level for levels in found]),
                seconds=np.concatenate([levels.seconds for levels in found]),
                busy=np.concatenate([levels.busy for levels in found]),
            )
    return pooled


def count_stalls(latencies_ms: Floats | None, threshold_ms: float | None) -> Stalls | None:
    """Return how many requests were slower than the threshold; None without latencies or threshold.

    A run that is slower as a whole is held against its own median: that it is slower is for the latency to tell, and
    none of its requests stalled.
    """
    if latencies_ms is None or not latencies_ms.size or threshold_ms is None:
        return None
    over_ms = max(threshold_ms, STALL_FACTOR * float(np.median(latencies_ms)))
    return Stalls(threshold_ms=threshold_ms, count=int(np.count_nonzero(latencies_ms > over_ms)))


def _stored(
    columns: RunColumns, values: Mapping[str, Floats], *, n_err: int
) -> Mapping[str, SingleValue | Distribution]:
    """Return what a baseline keeps: of a metric with one value per run also that it is not known."""
    stored: dict[str, SingleValue | Distribution] = {}
    for tag, metric in all_metrics().items():
        if not metric.stored or tag not in values:
            continue
        if isinstance(metric, BaseRunMetric):
            value = metric.value(columns)
            stored[tag] = SingleValue(unit=metric.unit, direction=metric.direction, value=value)
        elif (found := values[tag]).size:
            stored[tag] = _distribution(metric, found, n_err=n_err)
    return stored


def _distribution(metric: BaseMetric, values: Floats, *, n_err: int) -> Distribution:
    slow_is_worse = metric.direction == "lower"
    total = len(values) + (n_err if slow_is_worse else 0)
    names = [name for name in JUDGEABLE if name != "p99" or total >= min_requests("p99")]
    stats = run_stats(values, names, n_err=n_err, failed_as_inf=slow_is_worse)
    quantiles = {name: _finite(stat.value) for name, stat in stats.items() if name != "avg"}
    return Distribution(
        unit=metric.unit,
        direction=metric.direction,
        count=len(values),
        avg=float(np.mean(values)),
        min=float(values.min()),
        max=float(values.max()),
        std=float(values.std()),
        var_within={name: stat.var_within for name, stat in stats.items()},
        hist=Histogram(**log_histogram(values).to_dict()),
        **quantiles,
    )


def _finite(value: float | None) -> float | None:
    return value if is_finite_value(value) else None
