"""What ``vllm bench serve --save-result`` writes: one object a run, and with ``--append-result`` one a line.

Times are milliseconds. Its TPOT is the mean gap of each request, which is what the inter-token latency is here; its ITL
is every single gap, and is not read. A figure of a metric that the run did not have is written as 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from pytest_aiperf.measure.foreign_fields import Fields
from pytest_aiperf.measure.foreign_result import ForeignRun, Told

TOOL: Final = "vLLM bench serve"
_PER_REQUEST: Final = {
    "ttft": "time_to_first_token",
    "tpot": "inter_token_latency",
    "e2el": "request_latency",
}
_FIGURES: Final = {"mean": "avg", "median": "p50", "std": "std", "p90": "p90", "p95": "p95", "p99": "p99"}
_PER_RUN: Final = {
    "request_throughput": ("request_throughput", "requests/s"),
    "output_throughput": ("output_token_throughput", "tokens/s"),
    "total_token_throughput": ("total_token_throughput", "tokens/s"),
}
_LENGTHS: Final = {
    "total_input_tokens": "input_sequence_length",
    "total_output_tokens": "output_sequence_length",
}
_ENDPOINTS: Final = {"openai-chat": "chat", "openai": "completions", "vllm": "completions"}
_POISSON: Final = 1.0
"""Burstiness of independent arrivals."""


def is_vllm(document: Mapping[str, Any]) -> bool:
    """Tell the file by its content."""
    return {"num_prompts", "completed", "duration", "request_throughput"} <= set(document)


def vllm_run(document: Mapping[str, Any], *, source: str, place: str = "") -> ForeignRun:
    """Return the run of an object.

    Raises:
        ConfigurationError: a field cannot be used.
    """
    fields = Fields(source, place, document)
    n_ok, asked = int(fields.required("completed")), int(fields.required("num_prompts"))
    failed = fields.count("failed")
    return ForeignRun(
        load=_load(fields, asked),
        model=fields.text("model_id"),
        n_ok=n_ok,
        n_err=max(0, asked - n_ok) if failed is None else failed,
        window_s=fields.required("duration"),
        metrics=dict(_metrics(fields, n_ok)),
        at=_at(fields),
    )


def _load(fields: Fields, asked: int) -> Mapping[str, Any]:
    limit = fields.count("max_concurrency")
    found: dict[str, Any] = {"request_count": asked, "concurrency": limit}
    if fields.found.get("request_rate") in ("inf", None):
        found |= {"mode": "concurrency", "concurrency": asked if limit is None else limit}
    else:
        smoothness = fields.number("burstiness")
        pattern = "poisson" if smoothness in (None, _POISSON) else "gamma"
        found |= {
            "mode": "request_rate",
            "request_rate": fields.number("request_rate"),
            "arrival_pattern": pattern,
        }
        found["arrival_smoothness"] = smoothness if pattern == "gamma" else None
    found["endpoint_type"] = _ENDPOINTS.get(fields.text("backend") or fields.text("endpoint_type") or "")
    return {name: value for name, value in found.items() if value is not None}


def _metrics(fields: Fields, n_ok: int) -> Iterator[tuple[str, Told]]:
    for name, tag in _PER_REQUEST.items():
        figures = {ours: fields.number(f"{theirs}_{name}_ms") for theirs, ours in _FIGURES.items()}
        if figures["p50"]:
            yield tag, Told(unit="ms", count=n_ok, figures=figures)
    for name, tag in _LENGTHS.items():
        total = fields.number(name)
        if total and n_ok:
            yield tag, Told(unit="tokens", count=n_ok, figures={"avg": total / n_ok})
    for name, (tag, unit) in _PER_RUN.items():
        if (value := fields.number(name)) is not None:
            yield tag, Told(unit=unit, count=1, figures={"avg": value})


def _at(fields: Fields) -> str:
    text = fields.text("date") or ""
    try:
        return datetime.strptime(text, "%Y%m%d-%H%M%S").isoformat()
    except ValueError:
        return text
