"""The verdict from files alone: what pytest would have said, had it compared these two.

The judge is the same; only where the runs come from differs. Nothing is measured, so that nothing can be confirmed:
a measurement that has a second session is judged with it, one that has none is judged by the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pytest_aiperf.baseline import history
from pytest_aiperf.baseline.schema import Baseline, BaselineKey
from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.measure.changes import changes
from pytest_aiperf.measure.filed import Candidate, File, Stored, candidates_of, read_file, stored_in, title
from pytest_aiperf.measure.filed_difference import differences
from pytest_aiperf.measure.filed_terms import Wishes, metrics_for, terms_for
from pytest_aiperf.measure.foreign_file import foreign_folder
from pytest_aiperf.measure.judged import JudgedMetric, stall_threshold_of
from pytest_aiperf.measure.judging import Case
from pytest_aiperf.measure.known_facts import in_both, shared, unknown_facts
from pytest_aiperf.measure.measurement import Change, Judgement, MeasurementVerdict
from pytest_aiperf.measure.result_file import ResultFile
from pytest_aiperf.measure.seen_spread import as_far_as_seen
from pytest_aiperf.measure.stall_recount import recounted

_NOBODY: Final = "not known"
"""A host that is not known is not the same as another that is not."""
GRAVEST_FIRST: Final[Sequence[MeasurementVerdict]] = (
    "regressed",
    "invalid",
    "not_comparable",
    "no_baseline",
    "inconclusive",
    "pass",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The verdict on one measurement of a file."""

    test: str
    name: str | None
    judgement: Judgement
    baseline: Baseline | None = None
    """What it was compared with."""
    against: str | None = None
    """URL of the other server, where that was compared with."""
    changes: Sequence[Change] = ()
    """Since the newest session of the baseline."""
    note: str | None = None
    """What else there is to know about the verdict."""

    @property
    def verdict(self) -> MeasurementVerdict:
        """The verdict."""
        return self.judgement.verdict


def judge_files(result: Path, baseline: Path | None, wishes: Wishes) -> Sequence[Finding]:
    """Judge every measurement of `result`, in its order.

    Args:
        result: a result document, or a baseline file, whose newest session is judged.
        baseline: a baseline file, a folder of them, or a result document. None repeats the verdict on two servers
            that were compared with each other.
        wishes: what is to be otherwise than in the measurement.

    Raises:
        ConfigurationError: a file cannot be read, does not fit its schema, holds nothing to judge, or the two are
            swapped; a metric or a tolerance cannot be.
        BaselineError: a baseline file does not fit its schema.
    """
    file = read_file(result)
    candidates = candidates_of(file, source=str(result))
    _refuse_idle(candidates, wishes)
    if baseline is None:
        return [_again(one, result, wishes) for one in candidates]
    stored = _stored(baseline)
    if isinstance(file, Baseline) and any(isinstance(read, ResultFile) for read, _ in stored):
        raise ConfigurationError(
            f"{baseline} is a result document and {result} a baseline file: are they swapped? "
            f"Write: pytest-aiperf judge {result} {baseline}"
        )
    known = [one for read, source in stored for one in stored_in(read, source=source)]
    return [_against(one, known, baseline, wishes, of=len(candidates)) for one in candidates]


def gravest(findings: Sequence[Finding]) -> MeasurementVerdict:
    """Return the verdict on all of them: a regression is never hidden by something that says less."""
    return min((one.verdict for one in findings), key=GRAVEST_FIRST.index)


def _stored(path: Path) -> Sequence[tuple[File, str]]:
    if not path.is_dir() or foreign_folder(path) is not None:
        return [(read_file(path), str(path))]
    files = sorted(path.rglob("*.json"))
    if not files:
        raise ConfigurationError(f"{path}: there is no baseline file (*.json) in this folder")
    return [(read_file(one), str(one)) for one in files]


def _again(candidate: Candidate, result: Path, wishes: Wishes) -> Finding:
    """Judge two servers that were compared with each other."""
    if candidate.verdict == "invalid" or candidate.key is None:
        return _without(candidate, "invalid", candidate.reason)
    if not candidate.against_sessions:
        raise ConfigurationError(
            f"{result}: {candidate.test} was not compared with a second server (--aiperf-against): "
            f"give what to judge it against: pytest-aiperf judge BASELINE {result}"
        )
    case = Case(
        terms=terms_for(candidate, wishes, paired=True),
        metrics=metrics_for(candidate, candidate.key, wishes),
        baseline=candidate.against_sessions,
        host=candidate.sessions[0].environment.host,
    )
    runs = candidate.sessions[0].runs
    return Finding(
        test=candidate.test,
        name=candidate.name,
        judgement=case.judge(runs, look_reached(case.terms.looks, len(runs))),
        against=candidate.against,
    )


def _against(
    candidate: Candidate, known: Sequence[Stored], place: Path, wishes: Wishes, *, of: int
) -> Finding:
    """Find what to judge it against, and judge; a file with one measurement is meant, whatever its test is called."""
    if candidate.verdict == "invalid" or candidate.key is None:
        return _without(candidate, "invalid", candidate.reason)
    found = known if of == len(known) == 1 else _of_same_test(known, candidate.key)
    if not found:
        near = did_you_mean(title(candidate.key), [title(one.baseline.key) for one in known])
        return _without(
            candidate, "no_baseline", f"there is no baseline for {title(candidate.key)} in {place}{near}"
        )
    if len(found) > 1:
        raise ConfigurationError(
            f"{title(candidate.key)} stands in {found[0].source} and in {found[1].source}: "
            "which one is meant? Give the file, or the folder of one profile."
        )
    return _compared(candidate, candidate.key, found[0], wishes)


def _of_same_test(known: Sequence[Stored], key: BaselineKey) -> Sequence[Stored]:
    return [one for one in known if (one.baseline.key.test, one.baseline.key.name) == (key.test, key.name)]


def _without(candidate: Candidate, verdict: MeasurementVerdict, reason: str) -> Finding:
    return Finding(
        test=candidate.test, name=candidate.name, judgement=Judgement(verdict=verdict, reason=reason)
    )


def _compared(candidate: Candidate, key: BaselineKey, stored: Stored, wishes: Wishes) -> Finding:
    if stored.invalid is not None:
        reason = f"the measurement in {stored.source} is invalid, so it is no baseline: {stored.invalid}"
        return _without(candidate, "no_baseline", reason)
    baseline = _apart_from(stored.baseline, candidate)
    if baseline is None:
        reason = (
            f"{stored.source} holds nothing from before what is judged: it cannot be compared with itself"
        )
        return _without(candidate, "no_baseline", reason)
    foreign = candidate.tool is not None or stored.tool is not None
    own_key, note = key, None
    if foreign:
        note = f"not known of both, so not compared: {', '.join(unknown_facts(baseline.key, key))}"
        before, key = shared(baseline.key, key)
        baseline = baseline.model_copy(update={"key": before})
    if differing := differences(candidate, key, baseline):
        reason = f"the baseline is not comparable: {'; '.join(differing)}"
        return _without(candidate, "not_comparable", reason)
    metrics = metrics_for(candidate, own_key, wishes)
    if foreign and wishes.metrics is None:
        metrics = in_both(metrics, baseline.sessions, candidate.sessions)
        if not metrics:
            reason = f"{stored.source} and what is judged have no figure in common that is usually judged: name some"
            return _without(candidate, "inconclusive", f"{reason} with --metrics")
    finding = Finding(
        test=candidate.test,
        name=candidate.name,
        judgement=_judged(candidate, metrics, baseline, wishes),
        baseline=baseline,
        changes=changes(baseline, candidate.sessions[0].environment),
        note=note,
    )
    return _unasked(finding, candidate)


def _apart_from(baseline: Baseline, candidate: Candidate) -> Baseline | None:
    """Return the sessions that it is compared with, without its own; None where its own is the first of them."""
    own = {session.id for session in candidate.sessions}
    if baseline.anchor in own:
        return None
    sessions = [session for session in history.judged_sessions(baseline) if session.id not in own]
    return baseline.model_copy(update={"sessions": tuple(sessions)})


def _judged(
    candidate: Candidate, metrics: Sequence[JudgedMetric], baseline: Baseline, wishes: Wishes
) -> Judgement:
    """Judge as a measurement does: at the look that its first session reached, then with the second session."""
    terms = terms_for(candidate, wishes, paired=False)
    case = Case(
        terms=terms,
        metrics=metrics,
        baseline=baseline.sessions,
        host=candidate.sessions[0].environment.host or _NOBODY,
        variance=baseline.variance,
    )
    threshold_ms = stall_threshold_of(baseline)
    first, *second = ([recounted(run, threshold_ms) for run in s.runs] for s in candidate.sessions)
    look = look_reached(terms.looks, len(first))
    before = [session.runs for session in baseline.sessions]
    judgement = as_far_as_seen(case.judge(first, look), metrics, [*before, first])
    if judgement.verdict != "regressed" or not second:
        return judgement
    return as_far_as_seen(case.confirm(first, second[0], look), metrics, [*before, first, *second])


def look_reached(looks: Sequence[int], runs: int) -> int:
    """Return the last look that so many runs reach; the first one for fewer runs than it takes."""
    return max((i for i, needed in enumerate(looks) if needed <= runs), default=0)


def _unasked(finding: Finding, candidate: Candidate) -> Finding:
    """A regression that no second session was asked about: it stands, unless pytest would have asked and could not."""
    if finding.verdict != "regressed" or len(candidate.sessions) > 1:
        return finding
    if not candidate.unconfirmed:
        note = "worse in one session; there is no second one that would confirm it"
        return replace(finding, note="; ".join(filter(None, (note, finding.note))))
    note = "worse in one session; the measurement's time budget left no second one to confirm it"
    return replace(finding, judgement=replace(finding.judgement, verdict="inconclusive"), note=note)


def _refuse_idle(candidates: Sequence[Candidate], wishes: Wishes) -> None:
    """A tolerance for what is judged nowhere is a mistake."""
    judged = [
        {metric.name for metric in metrics_for(one, one.key, wishes)}
        for one in candidates
        if one.key is not None and one.verdict != "invalid"
    ]
    idle = sorted(set(wishes.tolerance).difference(*judged)) if judged else []
    if idle:
        raise ConfigurationError(f"--tolerance: {', '.join(idle)} is judged in no measurement of this file")
