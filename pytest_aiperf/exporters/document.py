"""The result document (`--aiperf-json`): builtin types only, finite numbers only, the same shape for every outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.baseline.schema import STATS_VERSION, Recorded, Run, Session
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.finite import scrub_non_finite
from pytest_aiperf.exporters.failure_text import failure_text, headline
from pytest_aiperf.measure.measurement import Comparison, Measurement
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
        "text": _text(measurement, node_id),
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
        "sessions": [session.model_dump(mode="json") for session in _sessions(measurement)],
        "sent": [[asdict(sending) for sending in session] for session in measurement.sendings],
        "metrics": Result(measurement).to_dict(),
        "judged": [
            {"metric": metric.name, "tolerance": metric.tolerance.relative, "floor": metric.tolerance.floor}
            for metric in measurement.judged
        ],
        "terms": asdict(measurement.terms),
        "comparisons": [comparison_document(c) for c in measurement.judgement.comparisons],
        "missed": [
            {"metric": m.slo.tag, "statistic": m.slo.statistic, "limit": m.slo.limit, "value": m.value}
            for m in measurement.missed
        ],
        "against": measurement.against,
        "against_sessions": [session.model_dump(mode="json") for session in _other_sessions(measurement)],
        "changes": [asdict(change) for change in measurement.changes],
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
    """Return the entry of a measurement that could not be made: the same keys, with nothing in them."""
    return {
        "key": None,
        "test": node_id,
        "name": name,
        "verdict": "invalid",
        "reason": reason,
        "headline": reason.partition("\n")[0],
        "text": reason,
        "load": None,
        "model": None,
        "endpoint": None,
        "transport": None,
        "timestamps": None,
        "connection_reuse": None,
        "insecure": None,
        "proxy": None,
        "osl_source": None,
        "started": None,
        "duration_s": None,
        "validity": [],
        "sessions": [],
        "sent": [],
        "metrics": {},
        "judged": [],
        "terms": None,
        "comparisons": [],
        "missed": [],
        "against": None,
        "against_sessions": [],
        "changes": [],
        "errors": [],
        "gpu": [],
        "server_metrics": {},
        "baseline": None,
        "baseline_sessions": 0,
        "stored": None,
    }


def _text(measurement: Measurement, node_id: str) -> str | None:
    """What a test fails with: formed here, where everything is known, for those who get the document alone."""
    if measurement.verdict not in ("pass", "measured"):
        return failure_text(measurement, node_id=node_id)
    return "\n".join(map(str, measurement.missed)) or None


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return one entry of ``comparisons``, of builtin types."""
    row = asdict(comparison)
    plain: dict[str, Any] = to_builtin(scrub_non_finite({name: row[name] for name in _COMPARISON}))
    return plain


def comparison_of(entry: Mapping[str, Any]) -> Comparison:
    """Return a comparison as it was, without the half widths, from an entry of ``comparisons``."""
    interval = {"ci95": tuple(entry["ci95"]) if entry["ci95"] else None}
    return Comparison(**{**entry, **interval})


def write_document(path: Path, session: Mapping[str, Any], measurements: Sequence[Mapping[str, Any]]) -> None:
    """Write the document.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    document = {
        "schema": SCHEMA,
        "stats_version": STATS_VERSION,
        "session": dict(session),
        "measurements": list(measurements),
    }
    write_json(path, document, option="--aiperf-json")


def write_json(path: Path, document: Mapping[str, Any], *, option: str) -> None:
    """Write a document to the file that an option names.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    write_file(path, json_bytes(document), option=option)


def write_file(path: Path, content: bytes, *, option: str) -> None:
    """Write the file that an option names.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"{option}: cannot write {path}: {error}") from None


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON: finite numbers only, the same bytes for the same document."""
    import orjson

    return orjson.dumps(scrub_non_finite(document), option=orjson.OPT_INDENT_2) + b"\n"


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


def _sessions(measurement: Measurement) -> Iterator[Session]:
    """Yield the measurement's sessions as a baseline would hold them: the one that is stored is the stored one.

    What was not stored has no commit. Asking git takes two processes, some 10 ms, for every measurement of a suite.
    """
    stored = measurement.to_store.sessions[-1] if measurement.to_store else None
    for number, runs in enumerate(measurement.sessions):
        first = stored if number == 0 else None
        yield Session(
            id=first.id if first else _session_id(measurement, number, runs),
            runs=tuple(runs),
            environment=measurement.environment,
            recorded=first.recorded if first else Recorded(at=measurement.started_at),
        )


def _other_sessions(measurement: Measurement) -> Sequence[Session]:
    """The runs of the server that it was compared with, where that was measured too."""
    if measurement.against is None or measurement.baseline is None:
        return ()
    return measurement.baseline.sessions


def _session_id(measurement: Measurement, number: int, runs: Sequence[Run]) -> str:
    """The same measurement has the same ids each time it is written; no two have windows alike to the nanosecond."""
    facts = (
        measurement.test,
        measurement.name,
        measurement.started_at,
        number,
        [run.window_s for run in runs],
    )
    return hashlib.sha256(repr(facts).encode("utf-8", "backslashreplace")).hexdigest()[:12]


_COMPARISON: Final = (
    "metric",
    "label",
    "against",
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
