"""The summary as Markdown, for a comment on a pull request and for the page of a CI job.

Ids and texts are a stranger's: of a branch, or of a server. They stand in code, where nothing is markup and nobody is
mentioned, and behind fences longer than any that they hold.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.common.printable import printable
from pytest_aiperf.exporters.columns import USUAL, Column
from pytest_aiperf.exporters.comparison_table import allowed, change_with_interval, shown_rows
from pytest_aiperf.exporters.document import comparison_of
from pytest_aiperf.exporters.figures import number, percent
from pytest_aiperf.exporters.states import FINE, counts_line, gravity, reason_of, state_of, title_of, word_of
from pytest_aiperf.exporters.text_lines import count, one_line
from pytest_aiperf.measure.measurement import Comparison
from pytest_aiperf.metrics.registry import all_metrics, short_name

COMMENT_BYTES: Final = 60_000
"""GitHub takes comments of 65 536 characters; something may be put before or behind."""
_ROOM_FOR_THE_NOTE: Final = 200
_HEAD: Final = (
    "| test | verdict | figure | baseline → now | change (95 % CI) | allowed |\n|---|---|---|---|---|---|\n"
)


def markdown_summary(
    measurements: Sequence[Mapping[str, Any]],
    *,
    columns: Sequence[Column] | None = None,
    limit_bytes: int = COMMENT_BYTES,
) -> str:
    """Return counts, a table with the worst first, and the texts of those that failed, folded.

    Args:
        columns: the figures of a measurement that was compared with nothing.
        limit_bytes: how long it may be in UTF-8; what does not fit is left out, and a note says so.
    """
    ordered = sorted(measurements, key=gravity)
    head = f"**aiperf:** {counts_line(measurements)}\n"
    room = limit_bytes - _ROOM_FOR_THE_NOTE - _size(head) - _size(_HEAD)
    rows, room = _that_fit((_rows(one, columns or USUAL) for one in ordered), room)
    failed = [one for one in ordered if state_of(one) not in FINE]
    texts, _ = _that_fit(map(_folded, failed), room)
    table = f"\n{_HEAD}{''.join(rows)}" if rows else ""
    return f"{head}{table}{''.join(texts)}{_left_out(len(ordered) - len(rows), len(failed) - len(texts))}"


def _that_fit(blocks: Iterable[str], room: int) -> tuple[Sequence[str], int]:
    """Return the first blocks, as many as there is room for, and the room that is left."""
    kept: list[str] = []
    for block in blocks:
        if _size(block) > room:
            return kept, 0
        room -= _size(block)
        kept.append(block)
    return kept, room


def _left_out(rows: int, texts: int) -> str:
    parts = [count(n, what) for n, what in ((rows, "measurement"), (texts, "text")) if n]
    return f"\nCut here: {' and '.join(parts)} left out, for length. The log has all.\n" if parts else ""


def _rows(measurement: Mapping[str, Any], columns: Sequence[Column]) -> str:
    """The rows of one measurement; the first one names it."""
    word = word_of(measurement)
    verdict = word if state_of(measurement) in FINE else f"**{word}**"
    first, *others = _figures(measurement, columns)
    lines = [(code(title_of(measurement)), verdict, *first), *(("", "", *other) for other in others)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _figures(measurement: Mapping[str, Any], columns: Sequence[Column]) -> Sequence[tuple[str, ...]]:
    """Figure, both values, change, allowed; at least one row."""
    rows = shown_rows([comparison_of(row) for row in measurement["comparisons"]])
    judged = [_judged(row) for row in rows if not _says_nothing(row)]
    if not judged:
        seen = [cell for column in columns if (cell := column.cell(measurement))]
        judged = [(code(", ".join(seen)), "", "", "")] if seen else []
    figures = bool(judged or measurement["missed"])
    if not figures or state_of(measurement) in ("failed", "invalid", "not_comparable"):
        judged.insert(0, (code(reason_of(measurement)), "", "", ""))
    return [*(_limit(one) for one in measurement["missed"]), *judged]


def _says_nothing(row: Comparison) -> bool:
    """No errors and no stalls, as before: so it is in nearly every measurement."""
    return row.unit == "share" and row.verdict == "pass" and not row.now and not row.baseline


def _judged(row: Comparison) -> tuple[str, ...]:
    label = row.label if row.verdict in ("pass", "inconclusive") else f"**{row.label}**"
    if row.unit == "share":
        return label, f"{percent(row.baseline, sign=False)} → {percent(row.now, sign=False)}", "", ""
    values = f"{number(row.baseline)} → {number(row.now)} {row.unit}"
    improved = " faster" if row.improved else ""
    return label, values, f"{change_with_interval(row)}{improved}", allowed(row)


def _limit(missed: Mapping[str, Any]) -> tuple[str, ...]:
    metric = all_metrics()[missed["metric"]]
    word = "at least" if metric.direction == "higher" else "at most"
    seen = "no value" if missed["value"] is None else f"{number(missed['value'])} {metric.unit}"
    label = f"**{short_name(metric.tag)} {missed['statistic']}**"
    return label, seen, "", f"{word} {number(missed['limit'])} {metric.unit}"


def _folded(measurement: Mapping[str, Any]) -> str:
    text = printable(str(measurement.get("failure") or measurement["text"] or ""), keep="\n")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    title, reason = (f"<code>{html.escape(part(measurement))}</code>" for part in (title_of, reason_of))
    return (
        f"\n<details><summary>{title}: {reason}</summary>\n\n{fence}text\n{text}\n{fence}\n\n</details>\n"
        if text
        else ""
    )


def code(text: str) -> str:
    """Return text as code in a cell of a table, whatever it holds."""
    text = one_line(text)
    return _literal(text) if not text or re.search(r"[`|]|^ | $", text) else f"`{text}`"


def _literal(text: str) -> str:
    """In HTML, every character that could be markup as a reference: a pipe in a code span would end the cell."""
    escaped = re.sub(r"[^\w \-./]", lambda found: f"&#{ord(found[0])};", one_line(text))
    return f"<code>{escaped.replace('_', '&#95;')}</code>"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
