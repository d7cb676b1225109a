"""What became of baselines, for people: two states compared, and tests that are gone. Lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_aiperf.baseline.orphans import Finding
from pytest_aiperf.baseline.schema import Session
from pytest_aiperf.exporters.baseline_tables import WORDS, moment, span
from pytest_aiperf.exporters.figures import number, percent
from pytest_aiperf.exporters.text_lines import aligned, count, plain, wrapped
from pytest_aiperf.measure.baseline_diff import BaselineDiff
from pytest_aiperf.measure.measurement import Comparison


def diff_lines(names: Sequence[Path], found: BaselineDiff) -> Iterator[str]:
    """Yield the verdict, what is compared with what, and a row for each judged figure with its reason."""
    judgement = found.judgement
    word = WORDS.get(judgement.verdict, judgement.verdict)
    yield plain(" -> ".join(map(str, names)))
    if found.incomparable:
        yield "not comparable:"
        for phrase in found.incomparable:
            yield from wrapped("  ", phrase)
        return
    if found.now is None:
        yield f"nothing to judge: {judgement.reason}"
    else:
        yield word
        yield plain(f"  old  {count(len(found.before), 'session')}, {_sessions_span(found.before)}")
        yield plain(
            f"  new  session {found.now.id}, {len(found.now.runs)} runs, {moment(found.now.recorded)}"
        )
    for change in found.changes:
        yield from wrapped("  changed  ", f"{change.name} was {change.before}, is {change.now}")
    for note in found.notes:
        yield from wrapped("  note  ", note)
    if judgement.comparisons:
        yield ""
        yield from _comparison_lines(judgement.comparisons)


def _sessions_span(sessions: Sequence[Session]) -> str:
    return span(sessions[0].recorded, sessions[-1].recorded, with_commits=True)


def _comparison_lines(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Each metric's comparison with the anchor stands below it: it counts only where it is red."""
    names = [one.metric for one in comparisons]
    ordered = sorted(comparisons, key=lambda one: (names.index(one.metric), one.against == "anchor"))
    labels = {one.metric: one.label for one in comparisons if one.against == "baseline"}
    yield from aligned(
        [
            ["metric", "old", "new", "change", "95 % interval", "verdict"],
            *(_row(one, labels[one.metric]) for one in ordered),
        ]
    )
    yield ""
    for one in ordered:
        if one.against == "baseline" or one.verdict == "regressed":
            yield from wrapped(f"  {one.label}: ", one.reason, indent=6)


def _row(one: Comparison, label: str) -> list[str]:
    word = "better" if one.improved else WORDS.get(one.verdict, one.verdict)
    if one.unit == "share":
        return [label, percent(one.baseline, sign=False), percent(one.now, sign=False), "", "", word]
    if one.against == "anchor":
        label = f"  {one.label.removeprefix(label).strip()}"
        word = word if one.verdict == "regressed" else ""
    ends = " .. ".join(percent(end).removesuffix(" %") for end in one.ci95) if one.ci95 else ""
    values = (
        f"{number(value)} {one.unit}" if value is not None else "-" for value in (one.baseline, one.now)
    )
    return [label, *values, percent(one.change), f"{ends} %" if ends else "", word]


def prune_lines(findings: Sequence[Finding], *, deleted: bool) -> Iterator[str]:
    """Yield what goes and why, what is kept although nobody could check it, and what to do next."""
    for state, word in (
        ("orphan", "deleted" if deleted else "would go"),
        ("unchecked", "kept"),
        ("broken", "broken"),
    ):
        for one in findings:
            if one.state == state:
                yield plain(f"{word}: {one.file.path}")
                yield from wrapped("    ", one.why)
    counts = Counter(one.state for one in findings)
    gone = f"{counts['orphan']} {'deleted' if deleted else 'to delete'}"
    rest = f"{counts['used']} used, {counts['unchecked']} unchecked and kept"
    yield f"{gone}, {rest}" + (f", {counts['broken']} broken" if counts["broken"] else "")
    if counts["orphan"] and not deleted:
        yield "Nothing was deleted. Give --yes to delete them."
