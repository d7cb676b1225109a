"""Two states of a baseline compared from their files alone: the newest session of the one against what the other holds.

The gate is that of a check. A check has one session, and so has this: of several new ones the newest is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.baseline.keys import differences
from pytest_aiperf.baseline.schema import Baseline, Run, Session
from pytest_aiperf.common.errors import BaselineError
from pytest_aiperf.measure.changes import changes
from pytest_aiperf.measure.filed_verdict import look_reached
from pytest_aiperf.measure.judging import Case
from pytest_aiperf.measure.measurement import Change, Judgement
from pytest_aiperf.measure.stall_recount import recounted
from pytest_aiperf.measure.stored_figures import judgeable, usual_metrics
from pytest_aiperf.measure.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineDiff:
    """What became of a baseline."""

    judgement: Judgement
    """``not_comparable`` where the keys differ; ``measured`` where there is no new session."""
    incomparable: Sequence[str] = ()
    """What differs in the keys, a phrase each."""
    before: Sequence[Session]
    """What the new session is compared with, the anchor first."""
    now: Session | None = None
    changes: Sequence[Change] = ()
    """Soft facts of the two newest sessions."""
    notes: Sequence[str] = ()


def diff_files(old: Baseline, new: Baseline) -> BaselineDiff:
    """Compare a file with an earlier state of it, or with that of another branch.

    Judged is the newest session that `old` does not hold as it is, against the sessions that a check would be compared
    with by `old`.
    """
    before = judged_sessions(old)
    phrases = tuple(dict.fromkeys([*differences(old, new.key), *differences(new, new.key)]))
    if phrases:
        judgement = Judgement(verdict="not_comparable", reason="; ".join(phrases))
        return BaselineDiff(judgement=judgement, incomparable=phrases, before=before)
    fresh = [session for session in new.sessions if session not in old.sessions]
    notes = tuple(_what_became(old, new, fresh))
    if not fresh:
        judgement = Judgement(verdict="measured", reason="no session is new: there is nothing to judge")
        return BaselineDiff(judgement=judgement, before=before, notes=notes)
    found = _judged(old, before, fresh[-1])
    return replace(found, notes=(*notes, *found.notes))


def diff_newest(baseline: Baseline, *, source: str) -> BaselineDiff:
    """Compare the newest session of a file with those before it.

    Those from the anchor on; all earlier ones where the newest is the anchor itself, a new level.

    Raises:
        BaselineError: there is no session before it; the message names `source`.
    """
    newest, is_level = baseline.sessions[-1], baseline.sessions[-1].id == baseline.anchor
    before = baseline.sessions[:-1] if is_level else judged_sessions(baseline)[:-1]
    if not before:
        raise BaselineError(
            f"{source}: holds one session, and nothing before it to compare it with. "
            "Give the earlier state of the file too: baseline diff OLD NEW."
        )
    note = "the newest session is a new level: it is compared with all that were before it"
    found = _judged(baseline, before, newest)
    return replace(found, notes=(note, *found.notes)) if is_level else found


def _judged(old: Baseline, before: Sequence[Session], now: Session) -> BaselineDiff:
    compared, runs = _counted_alike(before, now)
    metrics = [m for m in usual_metrics(old.key) if judgeable([m], before) or judgeable([m], [now])]
    terms = Terms()
    case = Case(
        terms=terms, metrics=metrics, baseline=compared, host=now.environment.host, variance=old.variance
    )
    judgement = case.judge(runs, look_reached(terms.looks, len(runs)))
    if not metrics and judgement.verdict == "pass":
        reason = "neither side holds a latency that can be judged"
        judgement = replace(judgement, verdict="inconclusive", reason=reason)
    uncounted = any(run.stalls for run in now.runs) and not any(run.stalls for run in runs)
    return BaselineDiff(
        judgement=judgement,
        before=before,
        now=now,
        changes=changes(old.model_copy(update={"sessions": tuple(before)}), now.environment),
        notes=("stalls are not compared: the thresholds differ, and no histogram tells",)
        if uncounted
        else (),
    )


def _counted_alike(before: Sequence[Session], now: Session) -> tuple[Sequence[Session], Sequence[Run]]:
    """Both sides with their stalls by one threshold, that of the newest session before: a new level sets its own."""
    threshold_ms = next((run.stalls.threshold_ms for run in before[-1].runs if run.stalls), None)
    sessions = [
        session.model_copy(update={"runs": tuple(recounted(run, threshold_ms) for run in session.runs)})
        for session in before
    ]
    return sessions, [recounted(run, threshold_ms) for run in now.runs]


def _what_became(old: Baseline, new: Baseline, fresh: Sequence[Session]) -> Iterator[str]:
    known, kept = {session.id for session in old.sessions}, {session.id for session in new.sessions}
    edited = [session.id for session in fresh if session.id in known]
    if edited:
        yield f"edited: {', '.join(edited)} has its id from before, and other content"
    if len(fresh) > 1:
        yield f"{len(fresh)} sessions are new; judged is the newest"
    if gone := len(known - kept):
        yield f"{gone} {'session is' if gone == 1 else 'sessions are'} gone"
    if new.anchor != old.anchor:
        moved = next(session for session in new.sessions if session.id == new.anchor)
        yield f"a new level: the anchor is the session of {moved.recorded.at[:10]} ({new.anchor}), was {old.anchor}"
    if new.variance != old.variance:
        yield "the calibrated variances are others; the earlier ones are used"
