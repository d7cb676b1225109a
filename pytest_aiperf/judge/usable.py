"""Which runs can be compared, and what to say about those that cannot."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_aiperf.judge.samples import Policy, RunStat, Session


def complaint(run: RunStat, policy: Policy) -> str | None:
    """Why this run says nothing, as a phrase that follows a count ("2 ..."); None when it does say something.

    Zero is a statement here ("no time at all"), although it has no logarithm: see :func:`usable_sessions`.
    """
    if run.value is None or math.isnan(run.value):
        return "without a value"
    if math.isinf(run.value):
        return "with an infinite value (too many failed requests)"
    if run.value < 0:
        return "with a negative value"
    if run.n_ok < policy.min_requests:
        return f"with fewer than {policy.min_requests} requests"
    return None


def stated_values(side: Sequence[Session], policy: Policy) -> list[float]:
    """The values, zeros included, of the runs that say something."""
    return [run.value for s in side for run in s if run.value is not None and complaint(run, policy) is None]


def usable_sessions(side: Sequence[Session], policy: Policy) -> list[list[RunStat]]:
    """The runs whose logarithm exists, session by session, without the sessions that have none left."""
    kept = [[run for run in session if run.value and complaint(run, policy) is None] for session in side]
    return [runs for runs in kept if runs]


def n_runs(side: Sequence[Session]) -> int:
    """How many runs a side holds."""
    return sum(len(session) for session in side)


def what_is_missing(side: Sequence[Session], policy: Policy, name: str) -> str:
    """Say why `side` ("the baseline", "the candidate") has nothing to compare."""
    total = n_runs(side)
    if total == 0:
        return f"{name} has no runs"
    causes = Counter(complaint(run, policy) or "with the value 0" for session in side for run in session)
    counted = ", ".join(f"{count} {cause}" for cause, count in causes.items())
    return f"{name} has no usable run among {total}: {counted}"
