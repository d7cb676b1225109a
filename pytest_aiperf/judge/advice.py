"""How to measure so that a change of a given size is found: requests, runs, sessions, or both servers in turn.

From the variances of a calibration the smallest detectable change of any plan follows, by the formula that the gate
puts into its own decisions, with the degrees of freedom that this plan would have. Requests make a run's own value
better known, runs the session's, sessions the baseline's; of the difference between two sessions one is always the
present one, so that no plan with a stored baseline gets below it. Only a paired measurement does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.judge.difference import Difference, ratio_minus_one, satterthwaite
from pytest_aiperf.judge.reason import percent
from pytest_aiperf.judge.variance import PRIOR_DF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_aiperf.judge.calibration import Calibration
    from pytest_aiperf.judge.samples import Policy

_TIMES_THE_REQUESTS: Final = (0.5, 1, 2, 5, 10)
_RUNS: Final = (3, 5, 8, 12, 20)
_SESSIONS: Final = (1, 3, 5, 10)
"""A baseline keeps ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A plan of measuring and what it would find."""

    n_requests: int
    """Measured requests of a run."""
    runs: int
    """Runs of a check at most, of each server when `paired`; a clear case ends earlier."""
    sessions: int
    """Stored baseline sessions; 0 when `paired`."""
    paired: bool
    """Both servers are measured now, in turn."""
    mde: float
    """Smallest worsening that is found with 95 % probability, as a fraction."""
    cost: int
    """Measured requests of a check that makes all its runs, the rehearsal included."""
    note: str = ""
    """What stands in the way of the wanted change, where something does."""


def advise(calibration: Calibration, *, wanted: float, policy: Policy) -> Sequence[Option]:
    """Return plans that find a worsening of `wanted` (0.05 = 5 %) with 95 % probability.

    One plan for each number of baseline sessions that makes a check cheaper, and one of paired measuring; the
    cheapest check first. What recording the baseline costs is not in it: that is paid once. Where no stored baseline
    finds the change, the paired plan's note says why. Where no plan does, the best of each kind, the better first,
    each with the reason.

    A test with several judged metrics shares its risk among them: pass a policy with that share of ``alpha_fail``
    for what holds when a single one of them gets worse.

    Raises:
        ConfigurationError: `wanted` is not a number above zero.
    """
    if not 0.0 < wanted < math.inf:
        raise ConfigurationError(f"the change to find must be above zero (0.05 is 5 %), got {wanted}")
    plans = list(_plans(calibration, policy))
    stored = [plan for plan in plans if not plan.paired]
    paired = [plan for plan in plans if plan.paired]
    found = [*_worth_their_sessions(_reaching(stored, wanted)), *_reaching(paired, wanted)[:1]]
    if not found:
        best = sorted((_best(stored), _best(paired)), key=lambda plan: plan.mde)
        return [replace(plan, note=_reason(plan, calibration, wanted, policy)) for plan in best]
    if all(plan.paired for plan in found):
        note = _reason(_best(stored), calibration, wanted, policy)
        found = [replace(plan, note=note) for plan in found]
    return sorted(found, key=lambda plan: plan.cost)


def planned_mde(
    calibration: Calibration,
    policy: Policy,
    *,
    runs: int,
    sessions: int,
    paired: bool = False,
    n_requests: float | None = None,
) -> float:
    """Return the smallest worsening that a plan finds with 95 % probability, as a fraction.

    The formula is the gate's (:meth:`pytest_aiperf.judge.difference.Difference.detectable`). It supposes that the
    gate uses the calibrated values and that they are true. Baseline sessions have as many runs as those of the
    calibration. Of the run variance, what runs say of their own sampling falls with the number of requests and the
    rest stays. Runs overstate their sampling where their prompts differ from one another, so that the gain by more
    requests may be smaller; a calibration with that many tells.

    Args:
        calibration: the variances.
        policy: tolerance and risk; its relation and its calibrated values are not looked at.
        runs: runs of the candidate at most, all of them made. No more than the policy's first look has is a plan
            of one look, which may spend the whole risk; the first of several looks finds less than that.
        sessions: stored baseline sessions, one or more; not looked at when `paired`.
        paired: both servers are measured now, `runs` runs each.
        n_requests: requests of a run; None takes those of the calibration.
    """
    sessions, baseline_runs = (1, float(runs)) if paired else (sessions, calibration.n_runs)
    run_variance = _run_variance(calibration, calibration.n_requests if n_requests is None else n_requests)
    run_part = run_variance * (1 / (baseline_runs * sessions) + 1 / runs)
    run_df = PRIOR_DF + sessions * (baseline_runs - 1) + runs - 1
    session_part = 0.0 if paired else calibration.tau**2 * (1 / sessions + 1)
    session_df = calibration.tau_df + sessions - 1
    plan = Difference(
        log_change=0.0,
        se=math.sqrt(run_part + session_part),
        df=satterthwaite((run_part, run_df), (session_part, session_df)),
        log_tolerance=_log_tolerance(calibration, policy),
        run_variance=run_variance,
        baseline_runs=round(sessions * baseline_runs),
        candidate_sessions=1,
        candidate_runs=runs,
    )
    return plan.detectable(_last_alpha(policy, runs), strict=policy.strict)


def _run_variance(calibration: Calibration, n_requests: float) -> float:
    total = calibration.run_sd**2
    sampling = min(calibration.var_within or 0.0, total)
    return sampling * calibration.n_requests / n_requests + total - sampling


def _last_alpha(policy: Policy, runs: int) -> float:
    """What the last look may spend; a plan that ends with the first look has no other and spends all."""
    return sum(policy.alpha_fail) if runs <= policy.looks[0] else policy.alpha_fail[-1]


def _log_tolerance(calibration: Calibration, policy: Policy) -> float:
    return max(math.log1p(policy.tolerance), math.log1p(policy.floor / calibration.value))


def _plans(calibration: Calibration, policy: Policy) -> Iterator[Option]:
    """Every combination; more requests only where they are known to help."""
    usual = max(1, round(calibration.n_requests))
    times = _TIMES_THE_REQUESTS if calibration.var_within else (1,)
    for n_requests in (round(usual * factor) for factor in times):
        if n_requests < policy.min_requests:
            continue
        for runs in _RUNS:
            for sessions in (*_SESSIONS, 0):
                paired = sessions == 0
                yield Option(
                    n_requests=n_requests,
                    runs=runs,
                    sessions=sessions,
                    paired=paired,
                    mde=planned_mde(
                        calibration,
                        policy,
                        runs=runs,
                        sessions=sessions,
                        paired=paired,
                        n_requests=n_requests,
                    ),
                    cost=n_requests * (runs + 1) * (2 if paired else 1),
                )


def _reaching(plans: Sequence[Option], wanted: float) -> list[Option]:
    """Those that find the change, the cheapest first; of equal cost the one that finds more."""
    return sorted((plan for plan in plans if plan.mde <= wanted), key=lambda plan: (plan.cost, plan.mde))


def _worth_their_sessions(reaching: Sequence[Option]) -> Iterator[Option]:
    """The cheapest check for each number of sessions, where fewer sessions would not do at that cost."""
    least_cost = math.inf
    for sessions in _SESSIONS:
        plan = next((plan for plan in reaching if plan.sessions == sessions), None)
        if plan is not None and plan.cost < least_cost:
            least_cost = plan.cost
            yield plan


def _best(plans: Sequence[Option]) -> Option:
    """The plan that finds the smallest change; of those that find about as much, the cheapest."""
    least = min(plan.mde for plan in plans)
    return min((plan for plan in plans if plan.mde <= 1.05 * least), key=lambda plan: plan.cost)


def _reason(best: Option, calibration: Calibration, wanted: float, policy: Policy) -> str:
    """Say why the best plan of its kind does not find the wanted change, and what could be done."""
    tolerance = ratio_minus_one(_log_tolerance(calibration, policy))
    if wanted <= tolerance:
        return (
            f"a worsening of {percent(wanted)} lies within the tolerance of {percent(tolerance)} and is never called "
            f"one, however many runs are made: set a tolerance below {percent(wanted)}"
        )
    if not best.paired:
        limit = _limit_of_sessions(calibration, policy)
        if limit > wanted:
            return (
                f"sessions differ by {percent(calibration.tau)} (sd, from {calibration.n_sessions} of them): with "
                f"{_SESSIONS[-1]} baseline sessions a worsening shows from {percent(limit)} on at best, and no number "
                "of runs or requests moves that: measure paired, or make sessions more alike"
            )
    return (
        f"runs of one session differ by {percent(calibration.run_sd)} (sd): with {best.runs} runs of "
        f"{best.n_requests} requests a worsening shows from {percent(best.mde)} on: quieten the machine"
    )


def _limit_of_sessions(calibration: Calibration, policy: Policy) -> float:
    """What the most baseline sessions would find if runs did not differ at all."""
    silent = replace(calibration, run_sd=0.0)
    return min(planned_mde(silent, policy, runs=runs, sessions=_SESSIONS[-1]) for runs in _RUNS)
