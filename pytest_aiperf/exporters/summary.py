"""The terminal summary, as lines: one a measurement, at most 100 columns. Printing is done elsewhere.

It reads documents, not measurements: under xdist only builtin types come back from the workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.exporters.failure_text import WANTED_SESSIONS
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
            yield from (f"  {note}"[:WIDTH] for note in _notes(one))
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
    title = _title(measurement)
    shown = title if len(title) <= width else f"…{title[1 - width :]}"
    cells = [f"{shown:<{width}}", f"{_state(measurement):<12}"]
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
    judged = next((c for c in _with_the_baseline(measurement) if c["metric"].partition(".")[0] == tag), None)
    change = f" {percent(judged['change'])}" if judged and judged["change"] is not None else ""
    if tag == "output_token_throughput":
        return f"{number(metric['avg'])} tok/s{change}"
    statistic = judged["metric"].partition(".")[2] if judged else "p50"  # the change is one of this figure
    label = short_name(tag) if statistic == "p50" else f"{short_name(tag)} {statistic}"
    return f"{label} {number(metric[statistic])} {metric['unit']}{change}"


def _notes(measurement: Mapping[str, Any]) -> Iterator[str]:
    verdict = measurement["verdict"]
    if verdict == "regressed" and not any(c["verdict"] == verdict for c in _with_the_baseline(measurement)):
        yield measurement["headline"]  # the line above shows a change that is allowed
    if verdict not in ("inconclusive", "invalid"):
        return
    mdes = [c["mde"] for c in _with_the_baseline(measurement) if c["verdict"] == "inconclusive" and c["mde"]]
    found = f"; would have found a change of {percent(max(mdes), sign=False)}" if mdes else ""
    yield f"{measurement['headline']}{found}"
    sessions = measurement["baseline_sessions"]
    stored = measurement.get("against") is None
    if verdict == "inconclusive" and stored and sessions < WANTED_SESSIONS:
        yield f"the baseline has {sessions} of {WANTED_SESSIONS} sessions: record more with --aiperf-update"


def _with_the_baseline(measurement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Without the comparisons with the anchor alone: the figure beside a name is one."""
    return (c for c in measurement["comparisons"] if c.get("against") != "anchor")


def _title(measurement: Mapping[str, Any]) -> str:
    name = f"#{measurement['name']}" if measurement["name"] else ""
    return str(measurement["test"]).rpartition("/")[2] + name
