"""The figures of a measurement as AIPerf 0.13 writes them: ``profile_export_aiperf.json`` and ``.csv``.

They are those of the result document, which are taken over all runs. A metric that has one value per run has its mean
over them; AIPerf's `p99_9` does not exist, so the document's is left out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.exporters.aiperf_names import STATISTICS, times_of, unit_of
from pytest_aiperf.metrics.base_metric import BaseRunMetric
from pytest_aiperf.metrics.registry import all_metrics

SCHEMA_VERSION: Final = "1.4"
AIPERF_VERSION: Final = "0.13.0"
"""Whose format this is."""
_PHASES: Final = {
    "concurrency": "concurrency",
    "fixed_schedule": "fixed_schedule",
    "user_centric": "user_centric",
}
_WITHOUT_UNIT: Final = ("count", "requests")
"""Its CSV file does not name these."""


def summary_document(measurement: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON file.

    Args:
        measurement: an entry of the result document, of a measurement that was made.
    """
    start, end = times_of(measurement)
    figures = {tag: _figures(tag, row) for tag, row in measurement["metrics"].items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "aiperf_version": AIPERF_VERSION,
        "benchmark_id": measurement["sessions"][0]["id"],
        **figures,
        "input_config": _input_config(measurement),
        "run_info": {
            "benchmark_id": measurement["sessions"][0]["id"],
            "random_seed": measurement["load"].get("seed"),
            "run_label": measurement["name"] or measurement["test"],
            "trial": 0,
        },
        "was_cancelled": False,
        "is_complete": True,
        "error_summary": [_error(group) for group in measurement["errors"]],
        "start_time": start,
        "end_time": end,
    }


def summary_csv(measurement: Mapping[str, Any]) -> str:
    """Return the CSV file: metrics with percentiles, then those with one value. Figures are not rounded."""
    known = all_metrics()
    rows = sorted(measurement["metrics"].items())
    text = io.StringIO()
    writer = csv.writer(text)
    several = [(tag, row) for tag, row in rows if not _one_a_run(tag)]
    single = [(tag, row) for tag, row in rows if _one_a_run(tag)]
    if several:
        writer.writerow(["Metric", *STATISTICS])
        writer.writerows([_title(known[tag].header, row), *_cells(row)] for tag, row in several)
    if several and single:
        writer.writerow([])
    if single:
        writer.writerow(["Metric", "Value"])
        writer.writerows([_title(known[tag].header, row), _cell(row["avg"])] for tag, row in single)
    return text.getvalue()


def _one_a_run(tag: str) -> bool:
    return isinstance(all_metrics()[tag], BaseRunMetric)


def _figures(tag: str, row: Mapping[str, Any]) -> dict[str, Any]:
    names: Sequence[str] = ("avg",) if _one_a_run(tag) else (*STATISTICS, "count")
    found = {name: row[name] for name in names if row[name] is not None}
    return {"unit": unit_of(row["unit"]), **found}


def _cells(row: Mapping[str, Any]) -> Iterator[str]:
    return (_cell(row[name]) for name in STATISTICS)


def _cell(value: float | None) -> str:
    return "" if value is None else repr(value)


def _title(header: str, row: Mapping[str, Any]) -> str:
    unit = unit_of(row["unit"])
    return header if unit in _WITHOUT_UNIT else f"{header} ({unit})"


def _error(group: Mapping[str, Any]) -> dict[str, Any]:
    details = {name: group[name] for name in ("code", "type", "message") if group[name] is not None}
    return {"error_details": details, "count": group["count"]}


def _input_config(measurement: Mapping[str, Any]) -> dict[str, Any]:
    """Return as much of its configuration as its readers look up: model, endpoint, lengths, load."""
    load = measurement["load"]
    endpoint = {
        "urls": [measurement["endpoint"]],
        "type": load.get("endpoint_type"),
        "streaming": load.get("streaming"),
    }
    lengths = {name: {"mean": load[name]} for name in ("isl", "osl") if load.get(name) is not None}
    dataset = {"name": "main", "type": "synthetic", "prompts": lengths}
    return {
        "models": {"items": [{"name": measurement["model"]}] if measurement["model"] else []},
        "endpoint": {name: value for name, value in endpoint.items() if value is not None},
        "datasets": [dataset] if lengths else [],
        "phases": [_phase(load)],
    }


def _phase(load: Mapping[str, Any]) -> dict[str, Any]:
    pattern = load.get("arrival_pattern")
    given = {
        "requests": load.get("request_count"),
        "concurrency": load.get("concurrency"),
        "rate": load.get("request_rate") or load.get("user_centric_rate"),
        "users": load.get("num_users"),
        "duration": load.get("benchmark_duration"),
    }
    return {
        "name": "profiling",
        "kind": "profiling",
        "type": pattern or _PHASES.get(str(load.get("mode")), "concurrency"),
        **{name: value for name, value in given.items() if value is not None},
    }
