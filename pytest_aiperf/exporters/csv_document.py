"""The result document as a table: a line for each metric of each measurement, figures as they stand in the document."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.exporters.text_lines import one_line
from pytest_aiperf.measure.result import FAR_TAIL
from pytest_aiperf.metrics.registry import STATISTICS

_OF_MEASUREMENT: Final = ("test", "name", "profile", "verdict", "model", "started")
_OF_METRIC: Final = ("unit", "direction", "count", "sum", "min", "max", "std", *STATISTICS, FAR_TAIL)
_INTERVALS: Final = ("avg", "p50", "p90", "p95", "p99")
COLUMNS: Final = (
    *_OF_MEASUREMENT,
    "metric",
    *_OF_METRIC,
    *(f"{name}_ci95_{end}" for name in _INTERVALS for end in ("low", "high")),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run: names of tests come from strangers' branches."""


def document_csv(measurements: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the file; a measurement without metrics, as one that could not be made, has one line.

    Args:
        measurements: of the result document.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row for measurement in measurements for row in _rows(measurement))
    return text.getvalue()


def _rows(measurement: Mapping[str, Any]) -> Iterator[list[str]]:
    start = [_cell(measurement.get(name)) for name in _OF_MEASUREMENT]
    if not measurement["metrics"]:
        yield [*start, *[""] * (len(COLUMNS) - len(start))]
    for tag, metric in measurement["metrics"].items():
        figures = [_cell(metric.get(name)) for name in _OF_METRIC]
        pairs = (metric["ci95"][name] or (None, None) for name in _INTERVALS)
        yield [*start, _cell(tag), *figures, *(_cell(end) for pair in pairs for end in pair)]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return repr(value)
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
