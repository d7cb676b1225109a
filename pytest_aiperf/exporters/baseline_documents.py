"""What `pytest-aiperf baseline … --json` prints: plain dicts, the same input the same bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.baseline.inventory import StoredFile
from pytest_aiperf.baseline.orphans import Finding
from pytest_aiperf.baseline.schema import Baseline, Session
from pytest_aiperf.exporters.document import to_builtin
from pytest_aiperf.measure.baseline_diff import BaselineDiff
from pytest_aiperf.measure.stored_figures import ITL, THROUGHPUT, TTFT, figures_of, outlooks, usual_metrics

SCHEMA: Final = 1
LISTED: Final = (TTFT, ITL, THROUGHPUT)
"""Figures that `list` shows."""


def rendered(document: Mapping[str, Any]) -> str:
    """Return the text of a document: sorted keys, six significant digits as in baseline files, ASCII."""
    whole = {"schema": SCHEMA, **document}
    return json.dumps(_rounded(to_builtin(whole)), indent=2, sort_keys=True, allow_nan=False)


def list_document(files: Sequence[StoredFile]) -> dict[str, Any]:
    """Return ``{"baselines": [...]}``, one entry a file; a broken one has only its problem."""
    return {"baselines": [_listed(file) for file in files]}


def _listed(file: StoredFile) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "file": file.path.as_posix(),
        "profile": file.profile,
        "problem": file.problem,
    }
    if file.baseline is None:
        return entry
    judged = judged_sessions(file.baseline)
    return entry | {
        "test": file.baseline.key.test,
        "name": file.baseline.key.name,
        "sessions": len(file.baseline.sessions),
        "judged_sessions": len(judged),
        "runs": sum(len(session.runs) for session in file.baseline.sessions),
        "first": file.baseline.sessions[0].recorded.model_dump(mode="json"),
        "last": file.baseline.sessions[-1].recorded.model_dump(mode="json"),
        "figures": [asdict(figure) for figure in figures_of(judged, LISTED, file.baseline.variance)],
    }


def show_document(path: Path, baseline: Baseline) -> dict[str, Any]:
    """Return key, sessions with their figures, calibrated variances, and what a check can find."""
    judged = {session.id for session in judged_sessions(baseline)}
    return {
        "file": path.as_posix(),
        "key": baseline.key.model_dump(mode="json"),
        "anchor": baseline.anchor,
        "stats_version": baseline.stats_version,
        "sessions": [
            _session(session) | _of_session(baseline, session, judged=session.id in judged)
            for session in baseline.sessions
        ],
        "variance": {name: one.model_dump(mode="json") for name, one in baseline.variance.items()},
        "outlook": [asdict(one) for one in outlooks(baseline)],
    }


def _of_session(baseline: Baseline, session: Session, *, judged: bool) -> dict[str, Any]:
    figures = figures_of([session], usual_metrics(baseline.key), baseline.variance)
    return {
        "judged": judged,
        "runs": len(session.runs),
        "n_ok": sum(run.n_ok for run in session.runs),
        "n_err": sum(run.n_err for run in session.runs),
        "figures": [asdict(figure) for figure in figures],
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "environment": session.environment.model_dump(mode="json"),
        "recorded": session.recorded.model_dump(mode="json"),
    }


def diff_document(names: Sequence[Path], found: BaselineDiff) -> dict[str, Any]:
    """Return what was compared, the verdict, and a row for each judged figure."""
    return {
        "files": [name.as_posix() for name in names],
        "verdict": found.judgement.verdict,
        "reason": found.judgement.reason,
        "differences": list(found.incomparable),
        "before": [_session(session) for session in found.before],
        "now": None if found.now is None else _session(found.now),
        "comparisons": [asdict(row) for row in found.judgement.comparisons],
        "changes": [asdict(change) for change in found.changes],
        "notes": list(found.notes),
    }


def prune_document(findings: Sequence[Finding], *, deleted: bool) -> dict[str, Any]:
    """Return ``{"findings": [...], "deleted": bool}``: of every file its state and why."""
    entries = [{"file": one.file.path.as_posix(), "state": one.state, "why": one.why} for one in findings]
    return {"findings": entries, "deleted": deleted}


def _rounded(value: Any) -> Any:
    """The last bits of a figure are the mathematical library's, and differ from machine to machine."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
