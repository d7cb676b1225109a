"""The terminal summary, as lines: one a measurement, at most 100 columns. Printing is done elsewhere.

It reads documents, not measurements: under xdist only builtin types come back from the workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.exporters.figures import number, percent
from pytest_aiperf.metrics.registry import short_name

WIDTH: Final = 100
_SHOWN: Final = ("time_to_first_token", "inter_token_latency", "request_latency", "output_token_throughput")
_MARK: Final = {
    "pass": "ok",
    "regressed": "REGRESSED",
    "inconclusive": "inconclusive",
    "no_baseline": "no baseline",
    "not_comparable": "not comparable",
    "invalid": "INVALID",
    "measured": "measured",
}
_GRAVEST_FIRST: Final = (
    "regressed",
    "invalid",
    "not_comparable",
    "no_baseline",
    "inconclusive",
    "measured",
    "pass",
)


def summary_lines(measurements: Sequence[Mapping[str, Any]], *, verbosity: int) -> Iterator[str]:
    """Yield the summary; with verbosity > 0 the worst come first, with < 0 only the counts."""
    if verbosity >= 0:
        ordered = sorted(measurements, key=_gravity) if verbosity > 0 else measurements
        width = min(40, max((len(_title(m)) for m in measurements), default=0))
        for one in ordered:
            yield _line(one, width)
            if note := _note(one):
                yield f"  {note}"[:WIDTH]
    yield counts_line(measurements)


def counts_line(measurements: Sequence[Mapping[str, Any]]) -> str:
    """Return ``4 measured, 3 ok, 1 inconclusive``."""
    counts = Counter(m["verdict"] for m in measurements)
    parts = [f"{len(measurements)} measured"]
    parts += [
        f"{counts[v]} {_MARK[v].lower()}" for v in reversed(_GRAVEST_FIRST) if counts[v] and v != "measured"
    ]
    stored = sum(1 for m in measurements if m["stored"])
    return ", ".join([*parts, f"{stored} recorded"] if stored else parts)


def _gravity(measurement: Mapping[str, Any]) -> int:
    return _GRAVEST_FIRST.index(measurement["verdict"])


def _line(measurement: Mapping[str, Any], width: int) -> str:
    cells = [f"{_title(measurement)[-width:]:<{width}}", f"{_state(measurement):<12}"]
    cells += [cell for tag in _SHOWN if (cell := _cell(measurement, tag))]
    line = cells[0]
    for cell in cells[1:]:
        if len(line) + 2 + len(cell) <= WIDTH:
            line = f"{line}  {cell}"
    return line.rstrip()


def _state(measurement: Mapping[str, Any]) -> str:
    stored = measurement["stored"]
    return "recorded" if stored and measurement["verdict"] == "measured" else _MARK[measurement["verdict"]]


def _cell(measurement: Mapping[str, Any], tag: str) -> str:
    metric = measurement["metrics"].get(tag)
    if metric is None:
        return ""
    changes = [c["change"] for c in measurement["comparisons"] if c["metric"].startswith(tag)]
    change = f" {percent(changes[0])}" if changes and changes[0] is not None else ""
    if tag == "output_token_throughput":
        return f"{number(metric['avg'])} tok/s{change}"
    return f"{short_name(tag)} {number(metric['p50'])} {metric['unit']}{change}"


def _note(measurement: Mapping[str, Any]) -> str:
    if measurement["verdict"] not in ("inconclusive", "invalid"):
        return ""
    mdes = [c["mde"] for c in measurement["comparisons"] if c["verdict"] == "inconclusive" and c["mde"]]
    found = f"; would have found a change of {percent(max(mdes), sign=False)}" if mdes else ""
    return f"{measurement['headline']}{found}"


def _title(measurement: Mapping[str, Any]) -> str:
    name = f"#{measurement['name']}" if measurement["name"] else ""
    return str(measurement["test"]).rpartition("/")[2] + name
