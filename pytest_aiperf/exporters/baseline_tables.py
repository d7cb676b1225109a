"""Baselines for people: a list of files, and one of them in full. Lines of text; printing is done elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.baseline.inventory import StoredFile
from pytest_aiperf.baseline.schema import Baseline, Recorded, Session
from pytest_aiperf.exporters.baseline_documents import LISTED
from pytest_aiperf.exporters.figures import number, percent
from pytest_aiperf.exporters.text_lines import WIDTH, aligned, count, plain, wrapped
from pytest_aiperf.measure.stored_figures import Figure, figures_of, outlooks, usual_metrics

_LEAST_TEST: Final = 12
WORDS: Final = {"regressed": "REGRESSED", "pass": "ok", "not_comparable": "not comparable"}
"""Verdicts that a table words in its own way."""
_DAY: Final = len("2026-11-02")
_HEAD: Final = ("test", "judged", "runs", "recorded", "ttft", "itl", "req/s")


def list_lines(files: Sequence[StoredFile], *, width: int = WIDTH) -> Iterator[str]:
    """Yield one line a file under the profile and test file that it belongs to, then the broken ones.

    Commits stand beside the dates where the width allows.
    """
    good = sorted((file for file in files if file.baseline is not None), key=_group)
    groups = [(head, list(group)) for head, group in groupby(good, key=_group)]
    tables = [[_cells(file, with_commits=True) for file in group] for _, group in groups]
    if any(_LEAST_TEST + _rest([_HEAD, *rows]) > width for rows in tables):
        tables = [[_cells(file, with_commits=False) for file in group] for _, group in groups]
    for ((directory, profile, source), _), rows in zip(groups, tables, strict=True):
        yield plain(f"{directory}  profile {profile}  {source}")
        yield from _table([list(_HEAD), *rows], width)
    broken = [file for file in files if file.problem is not None]
    for file in broken:
        yield from wrapped("broken: ", file.problem or "")
    sessions = sum(len(file.baseline.sessions) for file in good if file.baseline)
    yield f"{count(len(good), 'baseline')}, {count(sessions, 'session')}" + (
        f", {len(broken)} broken" if broken else ""
    )


def _group(file: StoredFile) -> tuple[str, str, str]:
    assert file.baseline is not None
    return str(file.path.parent.parent.parent), file.profile, file.baseline.key.test.partition("::")[0]


def _table(rows: list[list[str]], width: int) -> Iterator[str]:
    room = max(_LEAST_TEST, width - _rest(rows))
    for row in rows:
        # Parameters and name stand at the end, and tell one from another.
        row[0] = row[0] if len(row[0]) <= room else f"…{row[0][1 - room :]}"
    yield from aligned(rows)


def _rest(rows: Sequence[Sequence[str]]) -> int:
    """The width of all columns but the first, and of what stands between them."""
    return 2 + sum(2 + max(len(row[i]) for row in rows) for i in range(1, len(rows[0])))


def _cells(file: StoredFile, *, with_commits: bool) -> list[str]:
    baseline = file.baseline
    assert baseline is not None
    judged = judged_sessions(baseline)
    figures = {one.metric: one for one in figures_of(judged, LISTED, baseline.variance)}
    return [
        plain(_title(baseline).partition("::")[2]),
        f"{len(judged)} of {len(baseline.sessions)}",
        str(sum(len(session.runs) for session in baseline.sessions)),
        span(baseline.sessions[0].recorded, baseline.sessions[-1].recorded, with_commits=with_commits),
        *(_figure_cell(figures.get(metric.name)) for metric in LISTED),
    ]


def _figure_cell(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{number(figure.value)} ms" if figure.unit == "ms" else number(figure.value)


def span(first: Recorded, last: Recorded, *, with_commits: bool) -> str:
    """Return ``2026-11-02 1a2b3c4d .. 2026-11-23 5e6f7a8b``; one of both where they are the same."""
    ends = [moment(one) if with_commits else plain(one.at[:_DAY]) for one in (first, last)]
    return " .. ".join(dict.fromkeys(ends))


def moment(recorded: Recorded) -> str:
    """Return day and commit; a plus behind it for a tree with uncommitted changes."""
    dirty = "+" if recorded.dirty else ""
    return plain(f"{recorded.at[:_DAY]} {recorded.commit}{dirty}" if recorded.commit else recorded.at[:_DAY])


def show_lines(path: Path, baseline: Baseline) -> Iterator[str]:
    """Yield key, sessions with their figures, calibrated variances, and what a check can find."""
    judged = judged_sessions(baseline)
    yield plain(path)
    yield plain(f"  {_title(baseline)}")
    key = baseline.key.model_dump(mode="json", exclude={"test", "name"})
    for name, value in (key | {"workload": f"{baseline.key.workload[:8]}…"}).items():
        if value is not None:
            yield from wrapped(f"  {name.replace('_', ' '):<18} ", _shown(value))
    yield from wrapped(
        "  judged             ", f"{len(judged)} of {count(len(baseline.sessions), 'session')}"
    )
    for session in baseline.sessions:
        yield ""
        yield from _session_lines(baseline, session, judged=session in judged)
    yield ""
    yield from _variance_lines(baseline)
    yield from _outlook_lines(baseline)


def _session_lines(baseline: Baseline, session: Session, *, judged: bool) -> Iterator[str]:
    role = "anchor" if session.id == baseline.anchor else "judged" if judged else "history: not judged"
    yield plain(f"session {session.id}  {role}")
    commit = f", commit {session.recorded.commit}" if session.recorded.commit else ""
    dirty = " with uncommitted changes" if session.recorded.dirty else ""
    failed = sum(run.n_err for run in session.runs)
    total = failed + sum(run.n_ok for run in session.runs)
    yield from wrapped("  recorded      ", f"{session.recorded.at}{commit}{dirty}")
    yield from wrapped("  runs          ", f"{len(session.runs)}, {failed} of {total} requests failed")
    facts = session.environment.model_dump(mode="json")
    shown = ", ".join(f"{name} {_shown(value)}" for name, value in facts.items() if value is not None)
    yield from wrapped("  environment   ", shown)
    for figure in figures_of([session], usual_metrics(baseline.key), baseline.variance):
        low, high = figure.ci95
        interval = f"95 % interval {number(low, 4)} .. {number(high, 4)}"
        yield f"  {figure.label:<12}  {number(figure.value, 4)} {figure.unit}  ({interval})"


def _variance_lines(baseline: Baseline) -> Iterator[str]:
    if not baseline.variance:
        yield "calibrated      no: the gate uses its priors"
        return
    yield "calibrated      sd between runs   between sessions   df"
    for name, one in sorted(baseline.variance.items()):
        yield plain(
            f"  {name}  {percent(one.run_sd, sign=False)}  {percent(one.tau, sign=False)}  {number(one.df)}"
        )


def _outlook_lines(baseline: Baseline) -> Iterator[str]:
    found = outlooks(baseline)
    if not found:
        yield "a check of 3 runs can judge no latency: no session holds one"
        return
    yield "a check of 3 runs   allowed   would find   if unchanged"
    for one in found:
        allowed, mde = percent(one.tolerance), percent(one.mde, sign=False)
        yield f"  {one.label:<16}  {allowed:<8}  {mde:<11}  {WORDS.get(one.unchanged, one.unchanged)}"


def _title(baseline: Baseline) -> str:
    return baseline.key.test if baseline.key.name is None else f"{baseline.key.test}#{baseline.key.name}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in sorted(value.items()) if item is not None)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value, 6) if isinstance(value, float) else str(value)
