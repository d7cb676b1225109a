"""The result document (`--aiperf-json`): builtin types only, finite numbers only, the same shape for every outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.finite import scrub_non_finite
from pytest_aiperf.exporters.failure_text import headline
from pytest_aiperf.measure.measurement import Measurement
from pytest_aiperf.measure.result import Result

SCHEMA: Final = 1


def measurement_document(measurement: Measurement, *, node_id: str) -> dict[str, Any]:
    """Return one entry of ``measurements``."""
    document = {
        "key": measurement.key.model_dump(mode="json"),
        "test": node_id,
        "name": measurement.name,
        "verdict": measurement.verdict,
        "reason": measurement.judgement.reason,
        "headline": headline(measurement),
        "load": dict(measurement.key.load),
        "model": measurement.key.model,
        "endpoint": measurement.endpoint,
        "transport": measurement.transport,
        "timestamps": measurement.timestamps,
        "connection_reuse": measurement.connection_reuse,
        "insecure": measurement.insecure,
        "proxy": measurement.proxy,
        "osl_source": measurement.osl_source,
        "started": measurement.started_at,
        "duration_s": measurement.duration_s,
        "validity": [check.to_builtin() for check in measurement.validity],
        "sessions": [
            {"runs": [run.model_dump(mode="json") for run in runs]} for runs in measurement.sessions
        ],
        "sent": [[asdict(sending) for sending in session] for session in measurement.sendings],
        "metrics": Result(measurement).to_dict(),
        "comparisons": [_comparison(asdict(c)) for c in measurement.judgement.comparisons],
        "errors": [asdict(group) for group in measurement.errors],
        "gpu": [],
        "server_metrics": {},
        "baseline": measurement.baseline_path if measurement.baseline or measurement.to_store else None,
        "baseline_sessions": len(judged_sessions(measurement.baseline)) if measurement.baseline else 0,
        "stored": measurement.stored_as,
    }
    entry: dict[str, Any] = to_builtin(scrub_non_finite(document))
    return entry


def failed_document(*, node_id: str, name: str | None, reason: str) -> dict[str, Any]:
    """Return the entry of a measurement that could not be made."""
    return {
        "key": None,
        "test": node_id,
        "name": name,
        "verdict": "invalid",
        "reason": reason,
        "headline": reason.partition("\n")[0],
        "validity": [],
        "sessions": [],
        "sent": [],
        "metrics": {},
        "comparisons": [],
        "errors": [],
        "gpu": [],
        "server_metrics": {},
        "baseline": None,
        "baseline_sessions": 0,
        "stored": None,
    }


def write_document(path: Path, session: Mapping[str, Any], measurements: Sequence[Mapping[str, Any]]) -> None:
    """Write the document.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    import orjson

    document = scrub_non_finite(
        {"schema": SCHEMA, "session": dict(session), "measurements": list(measurements)}
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as error:
        raise ConfigurationError(f"--aiperf-json: cannot write {path}: {error}") from None


def to_builtin(value: Any) -> Any:
    """Return plain dicts, lists, str, int, float, bool, None: what crosses a process boundary without surprises.

    One numpy scalar in a test report would end an xdist worker with an internal error.
    """
    if isinstance(value, Mapping):
        return {str(key): to_builtin(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_builtin(item) for item in value]
    if type(value) is str:  # half a surrogate pair fits into no JSON
        return value.encode("utf-8", "replace").decode()
    if value is None or type(value) in (bool, int, float):
        return value
    if hasattr(value, "tolist"):
        return to_builtin(value.tolist())
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return to_builtin(str(value))


def _comparison(row: dict[str, Any]) -> dict[str, Any]:
    names = (
        "metric",
        "unit",
        "baseline",
        "now",
        "change",
        "ci95",
        "tolerance",
        "mde",
        "verdict",
        "reason",
        "improved",
    )
    return {name: row[name] for name in names}
