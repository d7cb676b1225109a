"""One measurement for people, in 80 columns: what was measured, every figure, what to know of it, the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.exporters.comparison_table import (
    allowed,
    change_with_interval,
    shown_rows,
    sides,
    word_of_row,
)
from pytest_aiperf.exporters.distribution_text import distributions
from pytest_aiperf.exporters.failure_text import WANTED_SESSIONS, headline
from pytest_aiperf.exporters.figures import number, percent
from pytest_aiperf.exporters.states import FINE, WORDS
from pytest_aiperf.exporters.text_lines import WIDTH, aligned, count, one_line, plain, wrapped
from pytest_aiperf.measure.load_key import describe_load
from pytest_aiperf.measure.measurement import Comparison, Measurement
from pytest_aiperf.measure.result import MetricResult, Result
from pytest_aiperf.metrics.base_metric import BaseRunMetric
from pytest_aiperf.metrics.registry import all_metrics, short_name

_OF_REQUESTS: Final = ("avg", "p50", "p90", "p95", "p99")
_OF_RUNS: Final = ("avg", "min", "max")
_UNITS: Final = {"requests/s": "req/s", "tokens/s": "tok/s"}
_ERRORS: Final = 5
_LONGEST_MESSAGE: Final = 200
_INDENT: Final = 2


def measurement_lines(measurement: Measurement) -> Iterator[str]:
    """Yield the whole text."""
    for paragraph in (
        _what(measurement),
        _figures(measurement),
        _errors(measurement),
        _notes(measurement),
        _verdict(measurement),
    ):
        lines = [plain(line) for line in paragraph]
        if lines:
            yield from (*lines, "")


def verdict_text(measurement: Measurement) -> str | None:
    """Return what is said of a measurement that is not fine, its first line the verdict; None where it is."""
    if measurement.verdict not in FINE:
        return "\n".join([headline(measurement), *map(plain, _details(measurement))])
    return "\n".join(map(str, measurement.missed)) or None


def _verdict(measurement: Measurement) -> Iterator[str]:
    missed = measurement.missed if measurement.verdict in FINE else ()
    word = WORDS["missed"] if missed else _word(measurement)
    reason = str(missed[0]) if missed else headline(measurement).removeprefix("measured only: ")
    yield from wrapped("verdict   ", f"{word}: {reason}")
    for one in missed[1:]:
        yield from wrapped("          ", str(one))
    yield from _details(measurement)


def _word(measurement: Measurement) -> str:
    """The verdict in a word; of what is stored, as what and where."""
    if measurement.verdict == "measured" and measurement.stored_as is not None:
        return f"stored in {measurement.baseline_path}"
    return WORDS[measurement.verdict]


def _details(measurement: Measurement) -> Iterator[str]:
    """Yield the rest of the reason, what was compared, and what to do."""
    for reason in measurement.judgement.reason.splitlines()[1:]:
        yield from wrapped("  ", reason)
    if measurement.judgement.comparisons:
        yield ""
        yield from _comparisons(measurement)
        yield from _changes(measurement)
    if measurement.verdict in ("regressed", "inconclusive") and (drawn := distributions(measurement)):
        yield from ("", *drawn[:-1])
    if advice := [*_what_to_do(measurement)]:
        yield from ("", *advice)


def _what(measurement: Measurement) -> Iterator[str]:
    key = measurement.key
    kind = [key.load.get("endpoint_type"), "streamed" if measurement.streaming else None]
    parts = [measurement.endpoint, one_line(key.model or ""), ", ".join(filter(None, kind))]
    yield from wrapped("endpoint  ", "  ".join(filter(None, parts)))
    if measurement.against is not None:
        yield from wrapped("against   ", measurement.against)
    lengths = [f"{name} {key.load[name]}" for name in ("isl", "osl") if key.load.get(name) is not None]
    yield from wrapped("load      ", ", ".join([describe_load(key.load), *lengths]))
    yield from wrapped("runs      ", ", ".join(_runs(measurement)))


def _runs(measurement: Measurement) -> Iterator[str]:
    sendings = [sending for session in measurement.sendings for sending in session]
    counts = " + ".join(str(len(session)) for session in measurement.sessions)
    yield f"{counts} run{'' if counts == '1' else 's'} in {measurement.duration_s:.1f} s with the rehearsal"
    yield f"{count(sum(one.sent for one in sendings), 'request')} sent"
    if late := sum(one.late for one in sendings):
        yield f"{late} of them late"
    if cancelled := sum(one.cancelled for one in sendings):
        yield f"{cancelled} cancelled"
    yield f"{measurement.transport} transport"
    yield f"{measurement.timestamps} timestamps"
    if measurement.insecure:
        yield "certificates not verified"
    if measurement.proxy is not None:
        yield f"proxy {measurement.proxy}"


def _figures(measurement: Measurement) -> Iterator[str]:
    """Yield a table of what each request has, and one of what a run has once."""
    result = Result(measurement)
    metrics = [result[tag] for tag, one in all_metrics().items() if tag in result and not one.hidden]
    of_runs = [m for m in metrics if isinstance(all_metrics()[m.tag], BaseRunMetric)]
    of_requests = [m for m in metrics if m not in of_runs]
    if of_requests:
        yield from _table("per request", of_requests, _OF_REQUESTS, interval_of="p50")
    if of_requests and of_runs:
        yield ""
    if of_runs:
        yield from _table("per run", of_runs, _OF_RUNS, interval_of="avg")


def _table(
    title: str, metrics: Sequence[MetricResult], statistics: Sequence[str], *, interval_of: str
) -> Iterator[str]:
    rows = [(title, *statistics, f"95 % CI of {interval_of}")]
    for metric in metrics:
        unit = _UNITS.get(metric.unit, metric.unit)
        label = f"{short_name(metric.tag).replace('_', ' ')} ({unit})"
        figures = (number(getattr(metric, name)) for name in statistics)
        rows.append((label, *figures, _interval(metric, interval_of)))
    yield from _within_the_width(rows)


def _within_the_width(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows with their figures to the right; a label that leaves them no room has a line of its own."""
    widths = [max(map(len, column)) for column in zip(*(row[1:] for row in rows), strict=True)]
    figures = ["".join(f"  {cell:>{w}}" for cell, w in zip(row[1:], widths, strict=True)) for row in rows]
    room = WIDTH - _INDENT - max(map(len, figures))
    fitting = max((len(row[0]) for row in rows if len(row[0]) <= room), default=room)
    for row, line in zip(rows, figures, strict=True):
        label = row[0]
        if len(label) > room:
            yield f"  {label}"
            label = ""
        yield f"  {label:<{fitting}}{line}"


def _interval(metric: MetricResult, statistic: str) -> str:
    interval = metric.ci(statistic)
    return "-" if interval is None else f"{number(interval[0])} .. {number(interval[1])}"


def _errors(measurement: Measurement) -> Iterator[str]:
    if not measurement.errors:
        return
    yield f"{count(sum(group.count for group in measurement.errors), 'failed request')}:"
    for group in sorted(measurement.errors, key=lambda one: -one.count)[:_ERRORS]:
        code = "" if group.code is None else f" {group.code}"
        message = one_line(group.message)[:_LONGEST_MESSAGE]
        yield from wrapped("  ", f"{group.count} x {group.type}{code}: {message}", indent=4)


def _notes(measurement: Measurement) -> Iterator[str]:
    """Yield what the checks say: how many held, and the advice of those that did not."""
    failed = {check.check: check for check in measurement.validity if not check.ok}
    names = {check.check for check in measurement.validity}
    held = f"{len(names) - len(failed)} of {count(len(names), 'check')} held"
    yield from wrapped("validity  ", held)
    for check in failed.values():
        yield from wrapped("  note    ", check.advice)
    if measurement.osl_source == "content_messages":
        yield from wrapped("tokens    ", "counted as content messages: the server reports no usage")


def _comparisons(measurement: Measurement) -> Iterator[str]:
    rows = shown_rows(measurement.judgement.comparisons)
    before, now = sides(measurement)
    labels = {row.metric: row.label for row in rows if row.against == "baseline"}
    cells = [("metric", before, now, "change (95 % CI)", "allowed", "")]
    lines = [*aligned([*cells, *(_compared(row, labels.get(row.metric, row.label)) for row in rows)])]
    since = next((i for i, row in enumerate(rows) if row.against == "anchor"), None)
    if since is not None:
        lines.insert(1 + since, "  since the anchor:")
    yield from lines


def _compared(row: Comparison, label: str) -> tuple[str, ...]:
    if row.unit == "share":
        shares = percent(row.baseline, sign=False), percent(row.now, sign=False)
        return label, *shares, "", "", word_of_row(row)
    unit = _UNITS.get(row.unit, row.unit)
    values = ("-" if one is None else f"{number(one)} {unit}" for one in (row.baseline, row.now))
    return label, *values, change_with_interval(row), allowed(row), word_of_row(row)


def _changes(measurement: Measurement) -> Iterator[str]:
    for change in measurement.changes:
        was = f"(was {one_line(change.before)})"
        yield from wrapped(f"  {change.name} ", f"{one_line(change.now)} {was}", indent=4)


def _what_to_do(measurement: Measurement) -> Iterator[str]:
    if measurement.verdict == "inconclusive":
        yield from wrapped("  ", _how_to_tell(measurement))
    elif measurement.verdict == "regressed" and measurement.against is None:
        yield from wrapped("  ", f"If this is intended: --record {measurement.baseline_path}")


def _how_to_tell(measurement: Measurement) -> str:
    mdes = [row.mde for row in measurement.judgement.comparisons if row.verdict == "inconclusive" and row.mde]
    found = f"A change of {percent(max(mdes), sign=False)} would have been found. " if mdes else ""
    sessions = len(judged_sessions(measurement.baseline)) if measurement.baseline is not None else 0
    if measurement.against is None and sessions < WANTED_SESSIONS:
        have = count(sessions, "session")
        return f"{found}The baseline has {have} of {WANTED_SESSIONS}: add more on other days or boots with --record."
    return f"{found}What would tell: more runs (--num-profile-runs), more requests a run, a quieter machine."
