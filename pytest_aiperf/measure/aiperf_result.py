"""``profile_export_aiperf.json``: the result of one run of AIPerf, and the files of several in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.measure.foreign_fields import Fields
from pytest_aiperf.measure.foreign_result import STATISTICS, ForeignRun, Told
from pytest_aiperf.metrics.registry import all_metrics

FILE: Final = "profile_export_aiperf.json"
_MODES: Final = {"poisson": "request_rate", "gamma": "request_rate", "constant": "request_rate"}
_COUNTS: Final = {"concurrency": "concurrency", "requests": "request_count", "users": "num_users"}
"""By its names of a phase's fields: those of a key."""


def is_aiperf(document: Mapping[str, Any]) -> bool:
    """Tell the file by its content."""
    return "input_config" in document and "request_latency" in document and "measurements" not in document


def files_in(folder: Path) -> list[Path]:
    """Return the files of an artifact folder: its own one, or those of its runs."""
    return sorted(folder.rglob(FILE))


def tool_of(document: Mapping[str, Any]) -> str:
    """Return the tool with its version."""
    version = document.get("aiperf_version")
    return f"AIPerf {version}" if isinstance(version, str) else "AIPerf"


def aiperf_run(document: Mapping[str, Any], *, source: str) -> ForeignRun:
    """Return the run of a file.

    Raises:
        ConfigurationError: the run was cut short, or a field cannot be used.
    """
    fields = Fields(source, "", document)
    if document.get("was_cancelled") is True or document.get("is_complete") is False:
        raise fields.wrong("was_cancelled", "the run was cut short, so its figures are of another load")
    config = fields.section("input_config")
    known = {tag: fields.section(tag) for tag, one in all_metrics().items() if one.stored and tag in document}
    n_ok = _single(fields, "request_count")
    return ForeignRun(
        load=_load(config),
        model=_model(config),
        n_ok=int(n_ok or 0),
        n_err=int(_single(fields, "error_request_count") or 0),
        window_s=_single(fields, "benchmark_duration") or 0.0,
        metrics={tag: _told(metric, int(n_ok or 0)) for tag, metric in known.items()},
        at=fields.text("start_time") or "",
    )


def _single(fields: Fields, tag: str) -> float | None:
    metric = fields.part(tag)
    return None if metric is None else metric.number("avg")


def _told(metric: Fields, n_ok: int) -> Told:
    count = metric.count("count")
    return Told(
        unit=metric.text("unit") or "",
        count=n_ok if count is None else count,
        figures={name: metric.number(name) for name in STATISTICS},
    )


def _model(config: Fields) -> str | None:
    models = config.part("models")
    first = next(models.sections("items"), None) if models is not None else None
    return None if first is None else first.text("name")


def _load(config: Fields) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    phases = [one for one in config.sections("phases") if one.found.get("kind", "profiling") == "profiling"]
    if phases:
        found |= _phase(phases[0])
    dataset = next(config.sections("datasets"), None)
    prompts = dataset.part("prompts") if dataset is not None else None
    for name in ("isl", "osl"):
        length = prompts.part(name) if prompts is not None else None
        found[name] = None if length is None else length.count("mean")
    if (endpoint := config.part("endpoint")) is not None:
        found["endpoint_type"] = endpoint.text("type")
        found["streaming"] = endpoint.found.get("streaming") is True
    return {name: value for name, value in found.items() if value is not None}


def _phase(phase: Fields) -> dict[str, Any]:
    kind = phase.text("type") or "concurrency"
    mode = _MODES.get(kind, kind)
    found: dict[str, Any] = {"mode": mode}
    found |= {name: phase.count(theirs) for theirs, name in _COUNTS.items()}
    found["benchmark_duration"] = phase.number("duration")
    if mode == "request_rate":
        found |= {"request_rate": phase.required("rate"), "arrival_pattern": kind}
    elif mode == "user_centric":
        found["user_centric_rate"] = phase.required("rate")
    elif mode == "fixed_schedule":
        found["fixed_schedule"] = "not told"
    return found
