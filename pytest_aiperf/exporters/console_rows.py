"""What console tables show of a measurement, as rows: metrics, failed requests, GPUs, the server's own figures.

AIPerf's flags and groups, made of what the metrics here state of themselves: `BaseMetric.group` and `hidden`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_aiperf.exporters.text_lines import one_line
from pytest_aiperf.metrics.base_metric import BaseMetric
from pytest_aiperf.metrics.registry import all_metrics


class MetricFlags(enum.Flag):
    """What a row is about."""

    NONE = 0
    INTERNAL = enum.auto()
    """The load generator itself: whether it kept its schedule."""
    EXPERIMENTAL = enum.auto()
    """Levels over time, rebuilt from the requests."""
    HTTP_TRACE = enum.auto()
    """Parts of the time of one HTTP exchange."""
    ERROR_ONLY = enum.auto()
    """Failed requests."""
    GPU = enum.auto()
    SERVER = enum.auto()
    """What the server says of itself."""


class MetricConsoleGroup(enum.StrEnum):
    """The table that a row stands in. `NONE`: in no table, but in every file."""

    LATENCY = "latency"
    TOKENS = "tokens"
    THROUGHPUT = "throughput"
    REQUESTS = "requests"
    GOODPUT = "goodput"
    SCHEDULE = "schedule"
    HTTP = "http"
    CONCURRENCY = "concurrency"
    ERRORS = "errors"
    GPU = "gpu"
    SERVER = "server"
    NONE = "none"


_FLAGS: Final = {
    "schedule": MetricFlags.INTERNAL,
    "concurrency": MetricFlags.EXPERIMENTAL,
    "http": MetricFlags.HTTP_TRACE,
}
"""By group of a metric."""
_UNITS: Final = {
    "w": "W",
    "j": "J",
    "c": "°C",
    "mhz": "MHz",
    "pct": "%",
    "bytes": "bytes",
    "s": "s",
    "ms": "ms",
    "per_joule": "/J",
}
"""By the end of a name."""
_LAST: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleRow:
    """One line of a table."""

    tag: str
    header: str
    unit: str
    display_order: int
    group: MetricConsoleGroup
    flags: MetricFlags
    figures: Mapping[str, float | None]
    """By statistic; None where there is no figure."""


def rows_of(measurement: Mapping[str, Any]) -> Iterator[ConsoleRow]:
    """Yield everything that an entry of the result document could show."""
    known = all_metrics()
    for tag, figures in measurement["metrics"].items():
        yield _metric_row(tag, figures, known.get(tag))
    for group in measurement["errors"]:
        code = "" if group["code"] is None else f" {group['code']}"
        yield ConsoleRow(
            tag=str(group["type"]),
            header=one_line(f"{group['type']}{code}: {group['message']}"),
            unit="",
            display_order=-int(group["count"]),
            group=MetricConsoleGroup.ERRORS,
            flags=MetricFlags.ERROR_ONLY,
            figures={"count": group["count"]},
        )
    yield from _readings(_gpu_values(measurement["gpu"]), MetricConsoleGroup.GPU, MetricFlags.GPU)
    server = _numbers("", measurement["server_metrics"])
    yield from _readings(server, MetricConsoleGroup.SERVER, MetricFlags.SERVER)


def _metric_row(tag: str, figures: Mapping[str, Any], metric: BaseMetric | None) -> ConsoleRow:
    """A metric that is not registered here, as in a document from elsewhere, stands at the end."""
    flags = _FLAGS.get(metric.group, MetricFlags.NONE) if metric is not None else MetricFlags.NONE
    shown = metric is not None and (not metric.hidden or flags is not MetricFlags.NONE)
    return ConsoleRow(
        tag=tag,
        header=one_line(metric.header if metric is not None else tag),
        unit=str(figures["unit"]),
        display_order=_LAST if metric is None else metric.display_order,
        group=MetricConsoleGroup(metric.group) if metric is not None and shown else MetricConsoleGroup.NONE,
        flags=flags,
        figures={name: value for name, value in figures.items() if _is_number(value) or value is None},
    )


def _readings(
    values: Iterator[tuple[str, float]], group: MetricConsoleGroup, flags: MetricFlags
) -> Iterator[ConsoleRow]:
    """Yield a row a quantity, with its figures over the runs."""
    found: dict[str, list[float]] = {}
    for name, value in values:
        found.setdefault(name, []).append(value)
    for order, (name, several) in enumerate(found.items()):
        words, unit = _named(name)
        yield ConsoleRow(
            tag=name,
            header=one_line(words),
            unit=unit,
            display_order=order,
            group=group,
            flags=flags,
            figures={"avg": sum(several) / len(several), "min": min(several), "max": max(several)},
        )


def _gpu_values(windows: list[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    for window in windows:
        for number, gpu in enumerate(window.get("gpus", ())):
            yield from _numbers(f"GPU {gpu.get('index', number)} ", gpu)


def _numbers(start: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(f"{start}{name} ", value)
        elif _is_number(value) and name not in ("index", "card", "start_ns", "end_ns"):
            yield f"{start}{name}", float(value)


def _named(name: str) -> tuple[str, str]:
    for end, unit in _UNITS.items():
        if name.endswith(f"_{end}"):
            return name.removesuffix(f"_{end}").replace("_", " "), unit
    return name.replace("_", " "), ""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
