"""The confidence interval of one side's own statistic, for reports: the value as it would come out again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_aiperf.judge.difference import exp, mean_of_sessions, per_session, satterthwaite
from pytest_aiperf.judge.distributions import t_upper
from pytest_aiperf.judge.usable import usable_sessions
from pytest_aiperf.judge.variance import run_variance, session_variance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_aiperf.judge.samples import Policy, Session


def run_interval(
    sessions: Sequence[Session], policy: Policy, *, level: float = 0.95, center: float | None = None
) -> tuple[float, float] | None:
    """Interval of the statistic, in the metric's own unit, from its runs; None when no run is usable.

    Student's t on log(value), with the same moderated variance as the gate, so that one run has an interval
    too (a wide one) and equal runs do not have one of width zero. With one session it speaks of that session;
    with several it includes how sessions differ.

    Args:
        sessions: the runs of one side, session by session.
        policy: for its priors and for the runs that it drops.
        level: the confidence, 0.95 for 95 %.
        center: where to centre, above zero, in the metric's unit; best the statistic over all requests
            pooled, which is less biased for tail quantiles than the mean over runs. None takes the geometric
            mean over runs.

    Raises:
        ValueError: `level` is not between 0 and 1, or `center` is not above zero.
    """
    if center is not None and not 0.0 < center < math.inf:
        raise ValueError(f"an interval can be centred on a value above zero, not on {center}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies between 0 and 1, not at {level}")
    usable = usable_sessions(sessions, policy)
    if not usable:
        return None
    run = run_variance(usable, policy)
    run_part, session_part, df = run.value * per_session(usable), 0.0, run.df
    if len(usable) > 1:
        session = session_variance(usable, run, policy)
        session_part = session.value / len(usable)
        df = satterthwaite((run_part, run.df), (session_part, session.df))
    margin = t_upper((1 - level) / 2, df) * math.sqrt(run_part + session_part)
    middle = mean_of_sessions(usable) if center is None else math.log(center)
    return exp(middle - margin), exp(middle + margin)
