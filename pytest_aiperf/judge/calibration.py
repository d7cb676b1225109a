"""What sessions of one unchanged server (A/A) tell: how much its runs and its sessions vary, and what the gate would
have made of them.

The gate has to guess how much sessions differ as long as it has seen few of them. Twenty sessions in which nothing was
changed answer it once, with degrees of freedom of their own. They are moderated by the same priors as in the gate
(:mod:`pytest_aiperf.judge.variance`): three sessions that happen to agree do not prove that sessions never differ.

They should be spread over the days and the hosts that checks will see: the answer holds for what they met. Sessions of
one quiet hour (sd 0.3 %) calibrate a gate that on ordinary days (sd 1.5 %) cries wolf: a first alarm in 2.8 % of checks
with one stored session and 1.3 % with three, instead of 0.1 and 0.2 % (``calibrated_on_quieter_days`` in
tests/judge/calibration_figures.py). Nor should they be stored as the baseline's sessions too: the gate would count the
same evidence twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.judge.difference import exp, mean_of_sessions
from pytest_aiperf.judge.gate import judge
from pytest_aiperf.judge.usable import usable_sessions, what_is_missing
from pytest_aiperf.judge.variance import known_within, mean, run_variance, session_variance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_aiperf.judge.samples import Decision, Policy, RunStat, Session

MIN_SESSIONS: Final = 2
"""One session says nothing about how sessions differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What A/A sessions say of one metric. Standard deviations are of log(value): 0.02 is about 2 %."""

    run_sd: float
    """From run to run of one session."""
    run_df: float
    """Degrees of freedom of `run_sd`, its prior's included."""
    tau: float
    """From session to session, beyond what their runs explain."""
    tau_df: float
    """Degrees of freedom of `tau`, its prior's included."""
    n_sessions: int
    """Sessions with a usable run."""
    n_runs: float
    """Usable runs of a session, on average."""
    n_requests: float
    """Requests that a run's value rests on, on average."""
    value: float
    """Geometric mean of the sessions, in the metric's unit."""
    var_within: float | None = None
    """Mean of what runs say of their own sampling, as a variance of log(value); None where none says anything."""


def calibrate(sessions: Sequence[Session], policy: Policy) -> Calibration:
    """Measure how much one metric varies, from at least two sessions of an unchanged server.

    Both standard deviations are those that the gate would work out from the same sessions: moderated by the prior of
    the policy's relation, runs that it would drop left out. Calibrated values in `policy` are not looked at, so that
    calibrating anew starts anew.

    Raises:
        ConfigurationError: fewer than two sessions have a usable run, or the policy is that of paired measuring,
            where sessions are not compared.
    """
    if policy.relation == "paired":
        raise ConfigurationError(
            "calibrating tells how much sessions differ, and a paired measurement compares none: "
            "use the relation 'same_host' or 'same_part'"
        )
    usable = usable_sessions(sessions, policy)
    if len(usable) < MIN_SESSIONS:
        raise ConfigurationError(_too_few(sessions, usable, policy))
    prior = replace(policy, tau=None, tau_df=None, run_sd=None)
    run = run_variance(usable, prior)
    session = session_variance(usable, run, prior)
    within = known_within(usable)
    return Calibration(
        run_sd=run.value**0.5,
        run_df=run.df,
        tau=session.value**0.5,
        tau_df=session.df,
        n_sessions=len(usable),
        n_runs=mean([len(runs) for runs in usable]),
        n_requests=mean([run.n_ok for runs in usable for run in runs]),
        value=exp(mean_of_sessions(usable)),
        var_within=mean(within) if within else None,
    )


def calibrated(policy: Policy, calibration: Calibration) -> Policy:
    """Return the policy with what was calibrated in the place of its priors."""
    return replace(policy, tau=calibration.tau, tau_df=calibration.tau_df, run_sd=calibration.run_sd)


def replay(sessions: Sequence[Session], policy: Policy, *, baseline_sessions: int = 3) -> list[Decision]:
    """Play the gate over A/A sessions, oldest first: each against the `baseline_sessions` before it.

    Looks follow each other over the session's first runs, as in a check, until it is settled or there are no further
    runs. A red one here is a first alarm, before the second session that would have to confirm it. Neighbours
    share baseline sessions, so that their decisions are not independent.

    Returns:
        One decision a comparison, in order; none when there are not more than `baseline_sessions` sessions.

    Raises:
        ConfigurationError: `baseline_sessions` is less than one.
    """
    if baseline_sessions < 1:
        raise ConfigurationError(
            f"replaying needs at least one session to compare with, got {baseline_sessions}"
        )
    return [
        _last_look(sessions[i - baseline_sessions : i], sessions[i], policy)
        for i in range(baseline_sessions, len(sessions))
    ]


def _last_look(baseline: Sequence[Session], candidate: Session, policy: Policy) -> Decision:
    decision = judge(baseline, [candidate[: policy.looks[0]]], policy)
    for look, n_runs in enumerate(policy.looks[1:], start=1):
        if not decision.more_runs_help or n_runs > len(candidate):
            break
        decision = judge(baseline, [candidate[:n_runs]], policy, look)
    return decision


def _too_few(sessions: Sequence[Session], usable: Sequence[Sequence[RunStat]], policy: Policy) -> str:
    empty = [session for session in sessions if not usable_sessions([session], policy)]
    left_out = f" ({what_is_missing(empty, policy, 'what is left out')})" if empty else ""
    return (
        f"calibrating needs at least {MIN_SESSIONS} sessions with usable runs, got {len(usable)} of "
        f"{len(sessions)}{left_out}: make more sessions of the unchanged server"
    )
