"""How a baseline grows. Sessions are appended, never replaced by a faster one: the best of several is a lucky one,
and every ordinary session after it would look slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pytest_aiperf.baseline.schema import Baseline, BaselineKey, Session

KEEP: Final = 10


def first(key: BaselineKey, session: Session) -> Baseline:
    """Return a new baseline whose anchor is its only session."""
    return Baseline(key=key, anchor=session.id, sessions=(session,))


def append(baseline: Baseline, session: Session) -> Baseline:
    """Return the baseline with one more session of the same level; the oldest beyond ten go, the anchor stays."""
    sessions = [*baseline.sessions, session]
    while len(sessions) > KEEP:
        sessions.remove(next(s for s in sessions if s.id != baseline.anchor))
    return baseline.model_copy(update={"sessions": tuple(sessions)})


def new_level(baseline: Baseline, key: BaselineKey, session: Session) -> Baseline:
    """Return the baseline after an accepted change: this session is the new anchor, earlier ones are history.

    Earlier sessions describe a server that is no more; averaging them in would make the accepted level look
    like a change in every later comparison.
    """
    moved = baseline.model_copy(update={"anchor": session.id, "key": key})
    return append(moved, session)


def judged_sessions(baseline: Baseline) -> Sequence[Session]:
    """Return the sessions that a new measurement is compared with: the anchor and all that came after it."""
    ids = [session.id for session in baseline.sessions]
    return baseline.sessions[ids.index(baseline.anchor) :]
