"""From the columns of one run to its summary: warm-up and drain cut, metrics computed, statistics taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pytest_aiperf.baseline.schema import Distribution, Histogram, Run, SingleValue, Stalls
from pytest_aiperf.common.finite import is_finite_value
from pytest_aiperf.common.records import Outcome, RecordBatch
from pytest_aiperf.judge.histogram import log_histogram
from pytest_aiperf.judge.run_summary import min_requests, run_stat
from pytest_aiperf.measure.workload import Workload
from pytest_aiperf.metrics.base_metric import BaseRecordMetric, BaseWindowMetric, Floats, Window
from pytest_aiperf.metrics.registry import all_metrics

JUDGEABLE: Final = ("avg", "p50", "p90", "p95", "p99")
STALL_METRIC: Final = "request_latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """One run, summarised. `values` keep the order of completion."""

    batch: RecordBatch
    inside: npt.NDArray[np.bool_]
    """``(n,)``: which rows were completed in the steady window."""
    window: Window
    values: Mapping[str, Floats]
    """By tag: finite values of the good requests in the window."""
    summary: Run


def summarise(
    batch: RecordBatch, workload: Workload, *, streaming: bool, stall_threshold_ms: float | None
) -> RunData:
    """Return the run's summary over its steady window.

    The window begins with the last warm-up completion and ends with the first completion whose slot could not be
    refilled; exactly `workload.measured` requests of a complete run lie in it.
    """
    order = np.argsort(batch.t_end, kind="stable")
    rows = order[workload.warm_up : workload.warm_up + workload.measured]
    window = _window(batch, order, workload, rows)
    inside = np.zeros(len(batch), dtype=np.bool_)
    inside[rows] = True
    n_ok = int(np.count_nonzero(batch.outcome[rows] == Outcome.OK))
    values: dict[str, Floats] = {}
    metrics: dict[str, SingleValue | Distribution] = {}
    for tag, metric in all_metrics().items():
        if metric.streaming_only and not streaming:
            continue
        if isinstance(metric, BaseRecordMetric):
            ordered = metric.values(batch)[rows]
            values[tag] = ordered[np.isfinite(ordered)]
            if values[tag].size:
                metrics[tag] = _distribution(metric, values[tag], n_err=len(rows) - n_ok)
        elif isinstance(metric, BaseWindowMetric):
            amount = metric.amount(batch, inside)
            per_second = amount / window.seconds if amount is not None and window.seconds > 0 else None
            metrics[tag] = SingleValue(unit=metric.unit, direction=metric.direction, value=per_second)
    summary = Run(
        n_ok=n_ok,
        n_err=len(rows) - n_ok,
        window_s=window.seconds,
        metrics=metrics,
        stalls=count_stalls(values.get(STALL_METRIC), stall_threshold_ms),
    )
    return RunData(batch=batch, inside=inside, window=window, values=values, summary=summary)


def count_stalls(latencies_ms: Floats | None, threshold_ms: float | None) -> Stalls | None:
    """Return how many requests were slower than the threshold; None without latencies or threshold."""
    if latencies_ms is None or not latencies_ms.size or threshold_ms is None:
        return None
    return Stalls(threshold_ms=threshold_ms, count=int(np.count_nonzero(latencies_ms > threshold_ms)))


def _window(
    batch: RecordBatch, order: npt.NDArray[np.intp], workload: Workload, rows: npt.NDArray[np.intp]
) -> Window:
    if not rows.size:
        return Window(0, 0)
    start = int(batch.t_end[order[workload.warm_up - 1]]) if workload.warm_up else 0
    return Window(start, int(batch.t_end[rows[-1]]))


def _distribution(metric: BaseRecordMetric, values: Floats, *, n_err: int) -> Distribution:
    slow_is_worse = metric.direction == "lower"
    total = len(values) + (n_err if slow_is_worse else 0)
    names = [name for name in JUDGEABLE if name != "p99" or total >= min_requests("p99")]
    stats = {name: run_stat(values, name, n_err=n_err, failed_as_inf=slow_is_worse) for name in names}
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
