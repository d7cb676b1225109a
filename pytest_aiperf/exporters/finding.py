"""The verdict from files, as a document and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final, cast

from pytest_aiperf.exporters.comparison_table import comparison_table
from pytest_aiperf.exporters.document import comparison_document, to_builtin
from pytest_aiperf.exporters.failure_text import headline
from pytest_aiperf.exporters.text_lines import plain
from pytest_aiperf.measure.filed_verdict import Finding, gravest
from pytest_aiperf.measure.measurement import Measurement

SCHEMA: Final = 1


def verdict_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the verdict on a file: builtin types, nothing of the time or the place at which it was judged."""
    return {
        "schema": SCHEMA,
        "verdict": gravest(findings),
        "measurements": [
            {
                "test": one.test,
                "name": one.name,
                "verdict": one.verdict,
                "headline": _headline(one),
                "reason": one.judgement.reason,
                "note": one.note,
                "comparisons": [comparison_document(row) for row in one.judgement.comparisons],
                "changes": [to_builtin(asdict(change)) for change in one.changes],
            }
            for one in findings
        ],
    }


def verdict_text(findings: Sequence[Finding]) -> str:
    """Return what people read: of each measurement its verdict in one line, the table, and what else has changed."""
    lines = [line for one in findings for line in (*_lines(one), "")]
    return "\n".join(map(plain, lines))


def _lines(finding: Finding) -> Iterator[str]:
    name = f"#{finding.name}" if finding.name else ""
    yield f"{finding.test}{name}: {finding.verdict}"
    yield f"  {_headline(finding)}"
    if not finding.judgement.comparisons:
        yield from (f"  {line}" for line in finding.judgement.reason.splitlines()[1:])
        return
    yield ""
    yield from comparison_table(_as_measured(finding))
    yield from (f"  {one.name} {one.now} (was {one.before})" for one in finding.changes)
    if finding.note:
        yield f"  {finding.note}"


def _headline(finding: Finding) -> str:
    """The worst figure; where nothing was compared, why."""
    if finding.judgement.comparisons:
        return headline(_as_measured(finding))
    return finding.judgement.reason.partition("\n")[0]


def _as_measured(finding: Finding) -> Measurement:
    # A finding has all that a comparison is shown by, and no figures besides.
    return cast(Measurement, finding)
