"""The JSON report of GuideLLM: each of its benchmarks is a run at one level of its load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pytest_aiperf.measure.foreign_fields import Fields
from pytest_aiperf.measure.foreign_result import ForeignRun, Told

_PER_REQUEST: Final = {
    "time_to_first_token_ms": ("time_to_first_token", "ms"),
    "inter_token_latency_ms": ("inter_token_latency", "ms"),
    "request_latency": ("request_latency", "s"),
    "prompt_token_count": ("input_sequence_length", "tokens"),
    "output_token_count": ("output_sequence_length", "tokens"),
}
"""By its names: tag, and the unit of its figures."""
_PER_RUN: Final = {
    "requests_per_second": ("request_throughput", "requests/s"),
    "output_tokens_per_second": ("output_token_throughput", "tokens/s"),
    "prompt_tokens_per_second": ("input_token_throughput", "tokens/s"),
    "tokens_per_second": ("total_token_throughput", "tokens/s"),
}
_FIGURES: Final = {"mean": "avg", "min": "min", "max": "max", "std_dev": "std", "median": "p50"}
_PERCENTILES: Final = ("p90", "p95", "p99")
_PATTERNS: Final = {"constant": "constant", "poisson": "poisson", "async": "constant"}
_ENDPOINTS: Final = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
}


def is_guidellm(document: Mapping[str, Any]) -> bool:
    """Tell the file by its content."""
    metadata = document.get("metadata")
    return isinstance(metadata, Mapping) and "guidellm_version" in metadata and "benchmarks" in document


def tool_of(document: Mapping[str, Any]) -> str:
    """Return the tool with its version."""
    return f"GuideLLM {document['metadata']['guidellm_version']}"


def guidellm_runs(document: Mapping[str, Any], *, source: str) -> Sequence[ForeignRun]:
    """Return the runs of a report.

    Raises:
        ConfigurationError: a field cannot be used.
    """
    fields = Fields(source, "", document)
    common = _common(fields)
    return [_run(one, common) for one in fields.sections("benchmarks")]


def _common(fields: Fields) -> Mapping[str, Any]:
    """What holds for all its benchmarks: model, endpoint, lengths, number of requests."""
    spec = fields.part("config", "spec")
    if spec is None:
        return {}
    found: dict[str, Any] = {}
    if (backend := spec.part("backend")) is not None:
        found["model"] = backend.text("model")
        found["endpoint_type"] = _ENDPOINTS.get(backend.text("request_format") or "")
        found["streaming"] = backend.found.get("stream") is True
    if (data := next(spec.sections("data"), None)) is not None:
        found |= {"isl": data.count("prompt_tokens"), "osl": data.count("output_tokens")}
    for one in spec.sections("constraints"):
        if one.found.get("kind") == "max_requests":
            found["request_count"] = one.count("count")
        if one.found.get("kind") == "max_duration":
            found["benchmark_duration"] = one.number("seconds") or one.number("duration")
    return {name: value for name, value in found.items() if value is not None}


def _run(benchmark: Fields, common: Mapping[str, Any]) -> ForeignRun:
    metrics = benchmark.section("metrics")
    totals = metrics.section("request_totals")
    load = {name: value for name, value in common.items() if name != "model"}
    return ForeignRun(
        load=_strategy(benchmark.section("config").section("strategy")) | load,
        model=common.get("model"),
        n_ok=int(totals.required("successful")),
        n_err=int(totals.required("errored")),
        window_s=benchmark.required("duration"),
        metrics=dict(_metrics(metrics)),
        at=datetime.fromtimestamp(benchmark.required("start_time"), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _strategy(strategy: Fields) -> dict[str, Any]:
    kind = strategy.text("type_")
    if kind in _PATTERNS:
        rate = {"request_rate": strategy.required("rate"), "arrival_pattern": _PATTERNS[kind]}
        return {"mode": "request_rate", **rate}
    streams = 1 if kind == "synchronous" else strategy.count("streams") or strategy.count("max_concurrency")
    if streams is None:
        raise strategy.wrong("type_", f"a load of the kind {kind!r:.30} is not known")
    return {"mode": "concurrency", "concurrency": streams}


def _metrics(metrics: Fields) -> list[tuple[str, Told]]:
    """Only requests that succeeded have figures; without any, it writes zeros."""
    found = []
    for name, (tag, unit) in _PER_REQUEST.items():
        good = metrics.part(name, "successful")
        count = good.count("count") if good is not None else None
        if good is None or not count:
            continue
        figures = {ours: good.number(theirs) for theirs, ours in _FIGURES.items()}
        percentiles = good.part("percentiles")
        if percentiles is not None:
            figures |= {one: percentiles.number(one) for one in _PERCENTILES}
        found.append((tag, Told(unit=unit, count=count, figures=figures)))
    for name, (tag, unit) in _PER_RUN.items():
        good = metrics.part(name, "successful")
        if good is not None and good.count("count"):
            found.append((tag, Told(unit=unit, count=1, figures={"avg": good.number("mean")})))
    return found
