"""A calibration as text: a line for each session while it is made, then a table and advice, at 80 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from math import exp, fsum, log
from typing import Final

from pytest_aiperf.exporters.figures import number, percent
from pytest_aiperf.judge.advice import Option
from pytest_aiperf.measure.calibrated import SHOWN_SESSIONS, CalibratedLoad, CalibratedMetric
from pytest_aiperf.measure.calibrating import SessionReport
from pytest_aiperf.measure.judged import JudgedMetric, run_value
from pytest_aiperf.measure.load_key import describe_load

WIDTH: Final = 80
_LABEL: Final = 18
_VERDICTS: Final = ("regressed", "inconclusive", "pass")


def session_line(report: SessionReport) -> str:
    """Return the line of a session that has just been made."""
    head = f"session {report.session}/{report.sessions} of {report.task.label}"
    if report.problem is not None:
        return f"{head} is not valid: {' '.join(report.problem.split())}"
    levels = [text for metric in report.metrics if (text := _level(metric, report))]
    return f"{head}: {', '.join([f'{len(report.runs)} runs', *levels])} ({report.duration_s:.0f} s)"


def calibration_lines(load: CalibratedLoad) -> Iterator[str]:
    """Yield what one load's sessions say."""
    made = load.made
    runs = max(len(session) for session in made.sessions)
    yield made.task.request.test or "load"
    boots = "the server restarted before each" if made.restarted else "of one boot of the server"
    yield from _wrapped(
        f"{describe_load(made.key.load)}; {len(made.sessions)} sessions of {runs} runs, {boots}", indent="  "
    )
    if made.repeated:
        yield f"  {made.repeated} of them made again, because they were not valid"
    yield ""
    known = [one for one in load.metrics if one.calibration is not None]
    if known:
        yield from _table(known, last_look=made.terms.looks[-1])
        yield ""
    for one in load.metrics:
        if one.calibration is None:
            yield from _wrapped(f"{one.metric.label}: {one.problem}", indent="  ")
    for one in known:
        yield from _advice(one, load.wanted)
    if not made.restarted:
        yield from _wrapped(
            "Without --restart-command the sessions shared one boot of the server: those of a check will differ more "
            "than these do.",
            indent="  ",
        )


def _level(metric: JudgedMetric, report: SessionReport) -> str:
    values = [value for run in report.runs if (value := run_value(run, metric).value)]
    if not values:
        return ""
    middle = exp(fsum(log(value) for value in values) / len(values))
    return f"{metric.label} {number(middle)} {metric.unit}"


def _table(metrics: Sequence[CalibratedMetric], *, last_look: int) -> Iterator[str]:
    width = min(_LABEL, max(len(one.metric.label) for one in metrics))
    sizes = "".join(f"{size:>5} " for size in SHOWN_SESSIONS)
    blank = " " * width
    yield f"  {blank}      run  session         detectable, {last_look} runs  A/A sessions"
    yield f"  {blank}       sd       sd    df  against sessions:   judged:"
    yield f"  {blank}                        {sizes}  red   ?  ok"
    for one in metrics:
        yield _row(one, width)


def _row(one: CalibratedMetric, width: int) -> str:
    found = one.calibration
    assert found is not None
    counts = Counter(decision.verdict for decision in one.replayed)
    mdes = "".join(f"{percent(one.mde[size], sign=False):>5} " for size in SHOWN_SESSIONS)
    red, unsure, ok = (counts[verdict] for verdict in _VERDICTS)
    return (
        f"  {_cut(one.metric.label, width):<{width}}  {percent(found.run_sd, sign=False):>6}  "
        f"{percent(found.tau, sign=False):>7}  {number(found.tau_df, 2):>4} {mdes}  {red:>3} {unsure:>3} {ok:>3}"
    )


def _advice(one: CalibratedMetric, wanted: float) -> Iterator[str]:
    yield f"  To find {one.metric.label} worse by {percent(wanted, sign=False)}:"
    if one.advised_tolerance < one.metric.tolerance.relative:
        yield from _wrapped(
            f"a tolerance of {percent(one.advised_tolerance, sign=False)} instead of "
            f"{percent(one.metric.tolerance.relative, sign=False)}, and",
            indent="    ",
        )
    for option in one.advice:
        yield from _wrapped(_plan(option), indent="    ")
    yield ""


def _plan(option: Option) -> str:
    runs = f"{option.runs} runs of {option.n_requests} requests"
    if option.paired:
        how = f"both servers in turn (--aiperf-against), {runs} each"
    else:
        stored = "1 stored session" if option.sessions == 1 else f"{option.sessions} stored sessions"
        how = f"{runs} against {stored}"
    note = f"; {option.note}" if option.note else ""
    return f"{how}: finds {percent(option.mde, sign=False)}, {option.cost} requests a check{note}"


def _wrapped(text: str, *, indent: str) -> Sequence[str]:
    together = text.replace(" %", "\0%")  # a number and its sign are not torn apart
    lines = textwrap.wrap(together, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
    return [line.replace("\0", " ") for line in lines]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
