"""The terminal summary, as lines: one a measurement, at most 100 columns. Printing is done elsewhere.

It reads documents, not measurements: under xdist only builtin types come back from the workers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.exporters.columns import USUAL, Column, with_the_baseline
from pytest_aiperf.exporters.failure_text import WANTED_SESSIONS
from pytest_aiperf.exporters.figures import percent
from pytest_aiperf.exporters.states import counts_line, gravity, reason_of, state_of, title_of, word_of
from pytest_aiperf.exporters.text_lines import plain

WIDTH: Final = 100
_LONGEST_NOTE: Final = 4
"""Lines: what a server says may be a page."""
_LONGEST_REASON: Final = 4
"""Lines: a check and its advice, twice."""


def summary_lines(
    measurements: Sequence[Mapping[str, Any]],
    *,
    verbosity: int,
    columns: Sequence[Column] | None = None,
    width: int = WIDTH,
) -> Iterator[str]:
    """Yield the summary; with verbosity > 0 the worst come first, with < 0 only the counts.

    Args:
        columns: what to show, on further lines where one is too short; None: the usual ones, as many as fit.
        width: of the terminal; lines have at most 100 columns on a wider one.
    """
    if verbosity < 0:
        yield f"aiperf: {counts_line(measurements)}"
        return
    width = min(width, WIDTH)
    ordered = sorted(measurements, key=gravity) if verbosity > 0 else measurements
    named = min(width * 2 // 5, max((len(title_of(m)) for m in measurements), default=0))
    for one in ordered:
        yield from _measurement(one, columns, named, width)
    yield counts_line(measurements)


def _measurement(
    measurement: Mapping[str, Any], columns: Sequence[Column] | None, named: int, width: int
) -> Iterator[str]:
    title = title_of(measurement)
    shown = title if len(title) <= named else f"…{title[1 - named :]}"
    lines, told = [f"{shown:<{named}}  {word_of(measurement):<12}"], set()
    for column in columns or USUAL:
        cell = column.cell(measurement)
        fits = len(lines[-1]) + 2 + len(cell) <= width
        if not cell or (columns is None and not fits):
            continue
        lines[-1:] = [f"{lines[-1]}  {cell}"] if fits else [lines[-1], f"    {cell}"]
        told.add((column.judged_in(measurement) or {}).get("metric"))
    yield from (line.rstrip() for line in lines)
    for note in _notes(measurement, told):
        text = plain(note).replace(" %", "\N{NO-BREAK SPACE}%")
        wrapped = textwrap.wrap(text, width - 2, max_lines=_LONGEST_NOTE, placeholder=" …")
        yield from (f"  {line}".replace("\N{NO-BREAK SPACE}", " ") for line in wrapped)


def _notes(measurement: Mapping[str, Any], told: set[str | None]) -> Iterator[str]:
    """Yield what the line does not tell; `told` are the judged figures that stand in it."""
    state = state_of(measurement)
    worse = {row["metric"] for row in with_the_baseline(measurement) if row["verdict"] == "regressed"}
    if state == "regressed" and worse.isdisjoint(told):
        yield reason_of(measurement)  # the line above shows changes that are allowed
    if state == "invalid":
        yield from measurement["reason"].splitlines()[:_LONGEST_REASON]
    elif state == "missed":
        yield from measurement["text"].splitlines()
    elif state == "failed":
        yield reason_of(measurement)
    elif state == "inconclusive":
        yield from _undecided(measurement)


def _undecided(measurement: Mapping[str, Any]) -> Iterator[str]:
    mdes = [r["mde"] for r in with_the_baseline(measurement) if r["verdict"] == "inconclusive" and r["mde"]]
    found = f"; would have found a change of {percent(max(mdes), sign=False)}" if mdes else ""
    yield f"{reason_of(measurement)}{found}"
    sessions = measurement["baseline_sessions"]
    if measurement["against"] is None and sessions < WANTED_SESSIONS:
        yield f"the baseline has {sessions} of {WANTED_SESSIONS} sessions: record more with --aiperf-update"
