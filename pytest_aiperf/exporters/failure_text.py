"""The text of a failed test. Its first line stands alone in the short summary, in JUnit and in annotations."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from math import log1p
from typing import Final

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.common.printable import printable
from pytest_aiperf.exporters.comparison_table import change_line, comparison_table, shown_rows, worst_row
from pytest_aiperf.exporters.distribution_text import distributions
from pytest_aiperf.exporters.figures import number
from pytest_aiperf.exporters.text_lines import one_line, wrapped
from pytest_aiperf.measure.load_key import describe_load
from pytest_aiperf.measure.measurement import Change, Comparison, Measurement
from pytest_aiperf.metrics.registry import all_metrics, short_name

WANTED_SESSIONS: Final = 3
_MIN_TAIL: Final = 20
"""Fewer values (the throughputs of a few runs) have no 95th percentile."""
_LABEL: Final = 6
_LONGEST_MESSAGE: Final = 200


def headline(measurement: Measurement) -> str:
    """Return the verdict in one line, the worst figure first."""
    return one_line(_headline(measurement))


def _headline(measurement: Measurement) -> str:
    verdict = measurement.verdict
    if verdict in ("regressed", "inconclusive"):
        worst = _worst(measurement)
        was = "was" if measurement.against is None else "against"
        return change_line(worst, was=was) if worst else measurement.judgement.reason
    if verdict == "no_baseline":
        return f"no baseline yet for {_title(measurement)}"
    return measurement.judgement.reason.partition("\n")[0]


def failure_text(measurement: Measurement, *, node_id: str) -> str:
    """Return the whole text: headline, comparison table, distributions, how it was measured, what to do."""
    reasons = measurement.judgement.reason.splitlines()[1:]
    parts = [headline(measurement), *(line for reason in reasons for line in wrapped("", reason)), ""]
    if measurement.judgement.comparisons:
        parts += [*comparison_table(measurement), ""]
        parts += distributions(measurement)
    else:
        parts += [*_figures(measurement), ""]
    parts += _errors(measurement)
    parts += _how(measurement)
    text = "\n".join([*parts, "", *_what_to_do(measurement, node_id)])
    return printable(text, keep="\n").rstrip()


def _worst(measurement: Measurement) -> Comparison | None:
    """The worst of the comparisons that made the verdict what it is."""
    rows = shown_rows(measurement.judgement.comparisons)
    return worst_row([row for row in rows if row.verdict == measurement.verdict])


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
        lines.append(f"    {group.count} x {group.type}{code}: {one_line(group.message)[:_LONGEST_MESSAGE]}")
    return [*lines, ""]


def _how(measurement: Measurement) -> list[str]:
    lines = [*_changes(measurement), ("run", _runs(measurement))]
    if measurement.osl_source == "content_messages":
        lines.append(("tokens", "counted as content messages: the server reports no usage"))
    if base := _base(measurement):
        lines.append(("base", base))
    warnings = {c.check: c for c in measurement.validity if not c.ok and not c.fatal}
    lines += [("note", check.advice) for check in warnings.values()]
    width = max(_LABEL, *(len(label) for label, _ in lines))
    return [
        line
        for label, text in lines
        for line in (
            wrapped(f"  {label:<{width}} ", text) if label == "note" else [f"  {label:<{width}} {text}"]
        )
    ]


def _changes(measurement: Measurement) -> Iterator[tuple[str, str]]:
    """Yield what may explain the change besides the code under test."""
    paired = measurement.against is not None
    found = [(change.name, _both(change, "against" if paired else "was")) for change in measurement.changes]
    width = max((len(text) for _, text in found), default=0)
    pointer = "<- differs" if paired else "<- changed since the baseline"
    yield from ((name, f"{text:<{width}}  {pointer}") for name, text in found)


def _both(change: Change, was: str) -> str:
    """``vllm 0.25.0 (was 0.24.1)``: what both begin with is not said twice."""
    before, now = one_line(change.before), one_line(change.now)
    kind, _, rest = before.partition(" ")
    shown = rest if rest and now.startswith(f"{kind} ") else before
    return f"{now} ({was} {shown})"


def _runs(measurement: Measurement) -> str:
    counts = " + ".join(str(len(session)) for session in measurement.sessions)
    confirmed = len(measurement.sessions) > 1 and measurement.verdict == "regressed"
    tail = ", confirmed in a second session" if confirmed else ""
    return f"{describe_load(measurement.key.load)} x {counts} run{'' if counts == '1' else 's'}{tail}"


def _base(measurement: Measurement) -> str | None:
    if measurement.against is not None:
        return f"{measurement.against}, measured now, runs in turn"
    if measurement.baseline is None or not measurement.baseline_path:
        return None
    last = measurement.baseline.sessions[-1].recorded
    commit = f"{last.commit}, " if last.commit else ""
    return f"{commit}{last.at[:10]}, {measurement.baseline_path}"


def _what_to_do(measurement: Measurement, node_id: str) -> Sequence[str]:
    selected = f"pytest {shlex.quote(node_id)}"
    if measurement.verdict == "inconclusive":
        return _how_to_tell(measurement)
    if measurement.against is not None:
        return []
    if measurement.verdict == "no_baseline":
        return [f"  Record it:  {selected} --aiperf-update=missing", "  and commit the file that it writes."]
    if measurement.verdict == "not_comparable":
        return [f"  If the change of the test is intended:  {selected} --aiperf-update=all"]
    if measurement.verdict == "regressed":
        return [f"  If this is intended:  {selected} --aiperf-update=regressed"]
    return []


def _how_to_tell(measurement: Measurement) -> Sequence[str]:
    sessions = len(judged_sessions(measurement.baseline)) if measurement.baseline is not None else 0
    paired = measurement.against is not None
    if not paired and sessions < WANTED_SESSIONS:
        have = "1 session" if sessions == 1 else f"{sessions} sessions"
        return [
            f"  The baseline has {have}; how much sessions differ is a guess until it has {WANTED_SESSIONS}.",
            "  Record more on other days or boots:  pytest ... --aiperf-update",
        ]
    worst = _worst(measurement)
    if paired or worst is None or _runs_differ_most(worst):
        return [
            "  What would tell: more runs (--aiperf-num-profile-runs), more requests a run, a quieter machine."
        ]
    return [
        "  Most of what is uncertain is how much sessions differ; more runs do not help.",
        "  Record more on other days or boots (pytest ... --aiperf-update), or measure how much they differ",
        "  with pytest-aiperf calibrate.",
    ]


def _runs_differ_most(row: Comparison) -> bool:
    """Whether the runs of this measurement make up most of the uncertainty, the other part being the sessions'.

    The half width of its own value knows of runs only, since it is one session; that of the change, of both.
    """
    if row.ci95 is None or not row.now or row.now_half is None:
        return True
    half = (log1p(row.ci95[1]) - log1p(row.ci95[0])) / 2
    return (row.now_half / row.now) ** 2 > half**2 / 2


def _title(measurement: Measurement) -> str:
    return measurement.test if measurement.name is None else f"{measurement.test}#{measurement.name}"
