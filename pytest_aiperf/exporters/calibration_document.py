"""A calibration as a JSON document (``pytest-aiperf calibrate --json``): builtin types and finite numbers only."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.baseline import store
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.finite import scrub_non_finite
from pytest_aiperf.exporters.document import to_builtin
from pytest_aiperf.measure.calibrated import CalibratedLoad, CalibratedMetric

SCHEMA: Final = 1


def calibration_document(loads: Sequence[CalibratedLoad]) -> dict[str, Any]:
    """Return the document: by load its key, its sessions, and what they say of each judged metric."""
    document = {"schema": SCHEMA, "loads": [_load(load) for load in loads]}
    entry: dict[str, Any] = to_builtin(scrub_non_finite(document))
    return entry


def check_json_path(path: Path) -> None:
    """Raise a ConfigurationError when the document could not be written: before the sessions, not after them."""
    folder = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"--json: cannot write {path}; give a file in a writable folder")


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write the document, the whole of it or nothing.

    Raises:
        BaselineError: the file cannot be written.
    """
    import orjson

    store.save(path, orjson.dumps(scrub_non_finite(document), option=orjson.OPT_INDENT_2).decode() + "\n")


def _load(load: CalibratedLoad) -> dict[str, Any]:
    made = load.made
    path = made.task.request.baseline_path
    return {
        "baseline": None if path is None else str(path),
        "key": made.key.model_dump(mode="json"),
        "restarted": made.restarted,
        "repeated_sessions": made.repeated,
        "wanted": load.wanted,
        "metrics": {one.metric.name: _metric(one) for one in load.metrics},
        "sessions": [{"runs": [run.model_dump(mode="json") for run in runs]} for runs in made.sessions],
    }


def _metric(one: CalibratedMetric) -> dict[str, Any]:
    counts = Counter(decision.verdict for decision in one.replayed)
    return {
        "unit": one.metric.unit,
        "problem": one.problem or None,
        "calibration": None if one.calibration is None else asdict(one.calibration),
        "mde": {str(stored): mde for stored, mde in one.mde.items()},
        "judged": {verdict: counts[verdict] for verdict in ("regressed", "inconclusive", "pass")},
        "decisions": [asdict(decision) for decision in one.replayed],
        "advised_tolerance": one.advised_tolerance,
        "advice": [asdict(option) for option in one.advice],
    }
