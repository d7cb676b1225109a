"""Both sides' distributions of one metric, drawn in letters."""

from __future__ import annotations

from typing import Final

import numpy as np

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.baseline.schema import Distribution, Histogram
from pytest_aiperf.exporters.comparison_table import shown_rows, sides, worst_row
from pytest_aiperf.exporters.figures import number
from pytest_aiperf.measure.measurement import Measurement
from pytest_aiperf.metrics.registry import short_name

_BARS: Final = " ▁▂▃▄▅▆▇█"
_CELLS: Final = 28


def distributions(measurement: Measurement) -> list[str]:
    """Draw one side above the other for the worst metric that has a distribution."""
    shown = shown_rows(measurement.judgement.comparisons)
    rows = [row for row in shown if row.metric.partition(".")[0] in measurement.pooled]
    worst = worst_row([row for row in rows if row.verdict == measurement.verdict] or rows)
    if worst is None or measurement.baseline is None:
        return []
    tag = worst.metric.partition(".")[0]
    before, counts = _baseline_values(measurement, tag)
    now = measurement.pooled[tag]
    if not before.size or not now.size or not counts.sum():
        return []
    low, high = _span(before, counts, now)
    edges = np.linspace(low, high, _CELLS + 1)
    label, names = short_name(tag), sides(measurement)
    old = _bars(np.histogram(before.clip(low, high), edges, weights=counts)[0])
    new = _bars(np.histogram(now.clip(low, high), edges)[0])
    pad, width = " " * len(label), max(map(len, names))
    return [
        f"  {label}  {names[0]:<{width}} |{old}|  {number(low)} .. {number(high)} {worst.unit}",
        f"  {pad}  {names[1]:<{width}} |{new}|",
        "",
    ]


def _span(before: np.ndarray, counts: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    repeated = np.repeat(before, counts.astype(int))
    low = min(np.percentile(repeated, 0.5), np.percentile(now, 0.5))
    high = max(np.percentile(repeated, 99), np.percentile(now, 99))
    return float(low), float(high if high > low else low * 1.01 + 1e-9)


def _baseline_values(measurement: Measurement, tag: str) -> tuple[np.ndarray, np.ndarray]:
    """Return bin centres and counts of the baseline's stored histograms."""
    assert measurement.baseline is not None
    hists = [
        found.hist
        for session in judged_sessions(measurement.baseline)
        for run in session.runs
        if isinstance(found := run.metrics.get(tag), Distribution) and found.hist is not None
    ]
    if not hists:
        return np.array([]), np.array([])
    return np.concatenate([_centres(h) for h in hists]), np.concatenate([np.array(h.count) for h in hists])


def _centres(hist: Histogram) -> np.ndarray:
    exponents = np.array(hist.index, dtype=float) + hist.offset + 0.5
    centres: np.ndarray = np.exp(exponents * np.log1p(hist.growth))
    return centres


def _bars(counts: np.ndarray) -> str:
    top = counts.max()
    levels = np.ceil(counts / top * (len(_BARS) - 1)).astype(int) if top else np.zeros(len(counts), dtype=int)
    return "".join(_BARS[level] for level in levels)
