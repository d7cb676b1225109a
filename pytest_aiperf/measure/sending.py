"""What became of the schedule of a run: how much was to be sent, how much was, and how much of it late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome, RecordBatch

LATE_NS: Final = 1_000_000
"""A request that leaves its schedule by less is on time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Counts of requests, warm-up included."""

    offered: int
    """What the plan holds; where a duration ends a closed loop, what was sent."""
    sent: int
    """Without those that were given up because a turn before them failed."""
    late: int
    """Sent more than `LATE_NS` after they were due; 0 in a closed loop."""
    cancelled: int
    reopened: int
    """Sent again over a new connection, because the server had closed the idle one."""
    workers: int
    late_start_ms: float
    """How long after the others the last load process began."""


def sending_of(batch: RecordBatch) -> Sending:
    """Return the counts of one run."""
    facts = batch.facts
    late = np.count_nonzero(batch.t0 - batch.t_plan > LATE_NS) if facts.open_loop else 0
    return Sending(
        offered=len(batch) if facts.planned is None else facts.planned,
        sent=int(np.count_nonzero(batch.t0 != ABSENT)),
        late=int(late),
        cancelled=int(np.count_nonzero(batch.outcome == Outcome.CANCELLED)),
        reopened=facts.reopened,
        workers=facts.workers,
        late_start_ms=facts.late_start_ns / 1e6,
    )
