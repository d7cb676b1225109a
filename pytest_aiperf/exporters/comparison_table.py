"""What was compared, as a table and in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pytest_aiperf.exporters.figures import number, percent, with_half
from pytest_aiperf.measure.measurement import Comparison, Measurement
from pytest_aiperf.metrics.registry import all_metrics

_WORDS: Final = {"regressed": "REGRESSED", "pass": "ok", "inconclusive": "inconclusive"}


def sides(measurement: Measurement) -> tuple[str, str]:
    """Return what the two sides are called: two servers by the options that name them."""
    return ("baseline", "now") if measurement.against is None else ("against", "endpoint")


def shown_rows(rows: Sequence[Comparison]) -> Sequence[Comparison]:
    """Return the comparisons that people see: those with the anchor alone where it shows what the others do not."""
    told = {row.metric for row in rows if row.against == "baseline" and row.verdict == "regressed"}
    return [
        row
        for row in rows
        if row.against == "baseline" or (row.verdict == "regressed" and row.metric not in told)
    ]


def worst_row(rows: Sequence[Comparison]) -> Comparison | None:
    """Return the row that is furthest beyond what is allowed; one with the anchor alone where there is no other."""
    return max(rows, key=lambda row: (row.against == "baseline", _excess(row)), default=None)


def _excess(row: Comparison) -> float:
    """How far beyond what is allowed; errors before any latency, stalls after: they follow from the others."""
    if row.metric == "stall_share":
        return 0.0
    if row.change is None or not row.tolerance:
        return float("inf")
    return abs(row.change) / row.tolerance


def change_line(row: Comparison, *, was: str) -> str:
    """Return a row in one line; `was` is the word before the other side's share."""
    if row.unit == "share":
        seen = f"{row.label} {percent(row.now, sign=False)} ({was} {percent(row.baseline, sign=False)})"
        return f"inconclusive: {seen}" if row.verdict == "inconclusive" else seen
    if row.change is None:
        return f"{row.label}: {row.reason}"
    values = f"({number(row.baseline)} -> {number(row.now)} {row.unit})"
    if row.verdict == "inconclusive":
        if row.ci95 is None:
            return f"inconclusive: {row.label} {percent(row.change)}, {row.reason}"
        low, high = row.ci95
        return (
            f"inconclusive: {row.label} {percent(row.change)} ({percent(low)} .. {percent(high)}), "
            f"allowed {allowed(row)}"
        )
    return f"{row.label} {percent(row.change)} {values}, allowed {allowed(row)}"


def comparison_table(measurement: Measurement) -> list[str]:
    """Return the table, the rows that were compared with the anchor alone under a line that says so."""
    rows = shown_rows(measurement.judgement.comparisons)
    labels = {row.metric: row.label for row in rows if row.against == "baseline"}
    before, now = sides(measurement)
    cells: list[tuple[str, ...]] = [("metric", before, now, "change (95 % CI)", "allowed", "detectable", "")]
    cells += [_cells(row, labels.get(row.metric, row.label)) for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = [
        "  " + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells
    ]
    since = next((i for i, row in enumerate(rows) if row.against == "anchor"), None)
    if since is not None:
        lines.insert(1 + since, f"  since the anchor{_recorded_at_anchor(measurement)}:")
    return lines


def _recorded_at_anchor(measurement: Measurement) -> str:
    if measurement.baseline is None:
        return ""
    anchor = next(s for s in measurement.baseline.sessions if s.id == measurement.baseline.anchor).recorded
    return f", {anchor.at[:10]}{f', {anchor.commit}' if anchor.commit else ''}"


def _cells(row: Comparison, label: str) -> tuple[str, ...]:
    word = word_of_row(row)
    if row.unit == "share":
        shares = percent(row.baseline, sign=False), percent(row.now, sign=False)
        return label, *shares, "", "", "", word
    return (
        label,
        with_half(row.baseline, row.baseline_half, row.unit),
        with_half(row.now, row.now_half, row.unit),
        change_with_interval(row),
        allowed(row),
        percent(row.mde, sign=False),
        word,
    )


def word_of_row(row: Comparison) -> str:
    """Return a row's verdict in a word."""
    return "faster" if row.improved else _WORDS.get(row.verdict, row.verdict)


def change_with_interval(row: Comparison) -> str:
    """Return ``+37 % (+32 .. +43)``."""
    ci = f" ({_bare(row.ci95[0])} .. {_bare(row.ci95[1])})" if row.ci95 else ""
    return f"{percent(row.change)}{ci}"


def allowed(row: Comparison) -> str:
    """Return the tolerance as a change: -5 % where more is better."""
    if row.tolerance is None:
        return "-"
    return percent(-row.tolerance if _higher_is_better(row) else row.tolerance)


def _higher_is_better(row: Comparison) -> bool:
    return all_metrics()[row.metric.partition(".")[0]].direction == "higher"


def _bare(fraction: float) -> str:
    return percent(fraction).removesuffix(" %")
