"""The text of a failed test. Its first line stands alone in the short summary, in JUnit and in annotations."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

import numpy as np

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.baseline.schema import Distribution, Histogram
from pytest_aiperf.exporters.figures import number, percent, with_half
from pytest_aiperf.measure.load_key import describe_load
from pytest_aiperf.measure.measurement import Comparison, Measurement
from pytest_aiperf.metrics.registry import all_metrics, short_name

_BARS: Final = " ▁▂▃▄▅▆▇█"
_CELLS: Final = 28
WANTED_SESSIONS: Final = 3
_MIN_TAIL: Final = 20
"""Fewer values (the throughputs of a few runs) have no 95th percentile."""
_WORDS: Final = {"regressed": "REGRESSED", "pass": "ok", "inconclusive": "inconclusive"}


def headline(measurement: Measurement) -> str:
    """Return the verdict in one line, the worst figure first."""
    verdict = measurement.verdict
    if verdict in ("regressed", "inconclusive"):
        worst = _worst(measurement, verdict)
        return _change_line(worst) if worst else measurement.judgement.reason
    if verdict == "no_baseline":
        return f"no baseline yet for {_title(measurement)}"
    return measurement.judgement.reason.partition("\n")[0]


def failure_text(measurement: Measurement, *, node_id: str) -> str:
    """Return the whole text: headline, comparison table, distributions, how it was measured, what to do."""
    parts = [headline(measurement), *measurement.judgement.reason.splitlines()[1:], ""]
    if measurement.judgement.comparisons:
        parts += [*_table(measurement.judgement.comparisons), ""]
        parts += _distributions(measurement)
    else:
        parts += [*_figures(measurement), ""]
    parts += _errors(measurement)
    parts += _how(measurement)
    return "\n".join([*parts, "", *_what_to_do(measurement, node_id)]).rstrip()


def _worst(measurement: Measurement, verdict: str) -> Comparison | None:
    """The comparison that is furthest beyond what is allowed; a regressed one for a regression."""
    rows = [c for c in measurement.judgement.comparisons if c.verdict == verdict]
    return max(rows, key=_excess, default=None)


def _excess(row: Comparison) -> float:
    """How far beyond what is allowed; errors before any latency, stalls after: they follow from the others."""
    if row.metric == "stall_share":
        return 0.0
    if row.change is None or not row.tolerance:
        return float("inf")
    return abs(row.change) / row.tolerance


def _change_line(row: Comparison) -> str:
    if row.unit == "share":
        seen = f"{row.label} {percent(row.now, sign=False)} (was {percent(row.baseline, sign=False)})"
        return f"inconclusive: {seen}" if row.verdict == "inconclusive" else seen
    if row.change is None:
        return f"{row.label}: {row.reason}"
    values = f"({number(row.baseline)} -> {number(row.now)} {row.unit})"
    if row.verdict == "inconclusive":
        low, high = row.ci95 or (row.change, row.change)
        return (
            f"inconclusive: {row.label} {percent(row.change)} ({percent(low)} .. {percent(high)}), "
            f"allowed {_allowed(row)}"
        )
    return f"{row.label} {percent(row.change)} {values}, allowed {_allowed(row)}"


def _allowed(row: Comparison) -> str:
    if row.tolerance is None:
        return "-"
    return percent(-row.tolerance if _higher_is_better(row) else row.tolerance)


def _higher_is_better(row: Comparison) -> bool:
    return all_metrics()[row.metric.partition(".")[0]].direction == "higher"


def _table(rows: Sequence[Comparison]) -> list[str]:
    header = ("metric", "baseline", "now", "change (95 % CI)", "allowed", "detectable", "")
    cells = [header, *(_row(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    return [
        "  " + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells
    ]


def _row(row: Comparison) -> tuple[str, ...]:
    word = _WORDS.get(row.verdict, row.verdict)
    if row.improved:
        word = "faster"
    if row.unit == "share":
        shares = percent(row.baseline, sign=False), percent(row.now, sign=False)
        return row.label, *shares, "", "", "", word
    ci = f" ({_bare(row.ci95[0])} .. {_bare(row.ci95[1])})" if row.ci95 else ""
    return (
        row.label,
        with_half(row.baseline, row.baseline_half, row.unit),
        with_half(row.now, row.now_half, row.unit),
        f"{percent(row.change)}{ci}",
        _allowed(row),
        percent(row.mde, sign=False),
        word,
    )


def _bare(fraction: float) -> str:
    return percent(fraction).removesuffix(" %")


def _distributions(measurement: Measurement) -> list[str]:
    """Draw baseline against now for the worst metric that has a distribution."""
    rows = [c for c in measurement.judgement.comparisons if c.metric.partition(".")[0] in measurement.pooled]
    rows = [c for c in rows if c.verdict == measurement.verdict] or rows
    if not rows or measurement.baseline is None:
        return []
    tag = max(rows, key=_excess).metric.partition(".")[0]
    before, counts = _baseline_values(measurement, tag)
    now = measurement.pooled[tag]
    if not before.size or not now.size or not counts.sum():
        return []
    low, high = _span(before, counts, now)
    edges = np.linspace(low, high, _CELLS + 1)
    label = short_name(tag)
    unit = next(c.unit for c in rows if c.metric.startswith(tag))
    old = _bars(np.histogram(before.clip(low, high), edges, weights=counts)[0])
    new = _bars(np.histogram(now.clip(low, high), edges)[0])
    pad = " " * len(label)
    return [
        f"  {label}  baseline |{old}|  {number(low)} .. {number(high)} {unit}",
        f"  {pad}  now      |{new}|",
        "",
    ]


def _span(before: np.ndarray, counts: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    repeated = np.repeat(before, counts.astype(int))
    low = min(np.percentile(repeated, 0.5), np.percentile(now, 0.5))
    high = max(np.percentile(repeated, 99), np.percentile(now, 99))
    return float(low), float(high if high > low else low * 1.01 + 1e-9)


def _baseline_values(measurement: Measurement, tag: str) -> tuple[np.ndarray, np.ndarray]:
    """Return bin centres and counts of the baseline's stored histograms."""
    assert measurement.baseline is not None
    hists = [
        found.hist
        for session in judged_sessions(measurement.baseline)
        for run in session.runs
        if isinstance(found := run.metrics.get(tag), Distribution) and found.hist is not None
    ]
    if not hists:
        return np.array([]), np.array([])
    return np.concatenate([_centres(h) for h in hists]), np.concatenate([np.array(h.count) for h in hists])


def _centres(hist: Histogram) -> np.ndarray:
    exponents = np.array(hist.index, dtype=float) + hist.offset + 0.5
    centres: np.ndarray = np.exp(exponents * np.log1p(hist.growth))
    return centres


def _bars(counts: np.ndarray) -> str:
    top = counts.max()
    levels = np.ceil(counts / top * (len(_BARS) - 1)).astype(int) if top else np.zeros(len(counts), dtype=int)
    return "".join(_BARS[level] for level in levels)


def _figures(measurement: Measurement) -> list[str]:
    """Return the measured numbers where there is nothing to compare them with."""
    from pytest_aiperf.measure.result import Result

    result, lines = Result(measurement), []
    for tag, definition in all_metrics().items():
        if definition.hidden or not definition.stored or tag not in result:
            continue
        metric = result[tag]
        spread = "" if metric.count < _MIN_TAIL else f"   p95 {number(metric.p95)}"
        lines.append(f"  {short_name(tag):<16} p50 {number(metric.p50)} {metric.unit}{spread}")
    return lines


def _errors(measurement: Measurement) -> list[str]:
    if not measurement.errors:
        return []
    total = sum(group.count for group in measurement.errors)
    lines = [f"  {total} failed requests:"]
    for group in sorted(measurement.errors, key=lambda g: -g.count)[:5]:
        code = "" if group.code is None else f" {group.code}"
        lines.append(f"    {group.count} x {group.type}{code}: {_one_line(group.message)}")
    return [*lines, ""]


def _one_line(text: str) -> str:
    """A server's words without what could move the cursor, colour the screen or break the table."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)[:200]


def _how(measurement: Measurement) -> list[str]:
    counts = " + ".join(str(len(session)) for session in measurement.sessions)
    confirmed = len(measurement.sessions) > 1 and measurement.verdict == "regressed"
    tail = ", confirmed in a second session" if confirmed else ""
    lines = [f"  run    {describe_load(measurement.key.load)} x {counts} runs{tail}"]
    if measurement.osl_source == "content_messages":
        lines.append("  tokens counted as content messages: the server reports no usage")
    if measurement.baseline is not None and measurement.baseline_path:
        last = measurement.baseline.sessions[-1].recorded
        commit = f"{last.commit}, " if last.commit else ""
        lines.append(f"  base   {commit}{last.at[:10]}, {measurement.baseline_path}")
    warnings = {c.check: c for c in measurement.validity if not c.ok and not c.fatal}
    lines += [f"  note   {check.advice}" for check in warnings.values()]
    return lines


def _what_to_do(measurement: Measurement, node_id: str) -> list[str]:
    selected = f"pytest {shlex.quote(node_id)}"
    if measurement.verdict == "no_baseline":
        return [f"  Record it:  {selected} --aiperf-update=missing", "  and commit the file that it writes."]
    if measurement.verdict == "not_comparable":
        return [f"  If the change of the test is intended:  {selected} --aiperf-update=all"]
    if measurement.verdict == "regressed":
        return [f"  If this is intended:  {selected} --aiperf-update=regressed"]
    if measurement.verdict == "inconclusive":
        return _how_to_tell(measurement)
    return []


def _how_to_tell(measurement: Measurement) -> list[str]:
    sessions = len(judged_sessions(measurement.baseline)) if measurement.baseline is not None else 0
    if sessions < WANTED_SESSIONS:
        have = "1 session" if sessions == 1 else f"{sessions} sessions"
        return [
            f"  The baseline has {have}; how much sessions differ is a guess until it has {WANTED_SESSIONS}.",
            "  Record more on other days or boots:  pytest ... --aiperf-update",
        ]
    return ["  More runs, more requests or a quieter machine would tell; see docs/verdict."]


def _title(measurement: Measurement) -> str:
    return measurement.test if measurement.name is None else f"{measurement.test}#{measurement.name}"
