"""How much a run and a session vary: what was seen, moderated by what is known beforehand.

Three runs estimate a variance so badly (two degrees of freedom) that Welch's t-test finds a slowdown of 10 %
in one of four noisy cases. The remedy is the one that made gene-expression studies with three samples
possible: shrink the estimate towards a prior that counts as a few degrees of freedom (Smyth 2004, "Linear
models and empirical Bayes methods", doi:10.2202/1544-6115.1027). Here the prior is each run's own scatter
between sections plus 1.5 % for what differs from run to run. A variance of zero is thereby impossible, unless
the metric is declared deterministic.

Where the server was calibrated (:mod:`pytest_aiperf.judge.calibration`), what was measured takes the place of
both priors. A calibrated value that cannot be one (zero, negative, not finite) counts as not calibrated: the
prior stays, and a hand-edited file cannot make a variance zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_aiperf.judge.distributions import chi2_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_aiperf.judge.samples import Policy, RunStat

PRIOR_DF = 4
"""What the prior of the run variance counts for, in degrees of freedom."""
PRIOR_RUN_SD = 0.015
"""Sd of log(value) from run to run beyond the sampling of requests: clocks, batching, the neighbours."""
PRIOR_TAU = {"same_host": 0.015, "same_part": 0.04}
"""Sd of log(value) from session to session, before anything was calibrated."""
LASTING_SHARE = 0.5
"""Of what makes runs differ, beyond the sampling of requests, how much is supposed to differ between sessions too."""
_LEAST_SD, _GREATEST_SD = 1e-6, 1e3
"""Between these a calibrated sd is taken at its word. No clock shows less; the square of much more overflows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """A variance of log(value) and the degrees of freedom that it rests on."""

    value: float
    df: float
    beyond_sampling: float = 0.0
    """Of a run variance: what is left without the sampling of requests."""


def log_values(runs: Sequence[RunStat]) -> list[float]:
    """log(value) of usable runs."""
    return [math.log(run.value) for run in runs if run.value]


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, rounded once: the same values give the same bits in any order."""
    return math.fsum(values) / len(values)


def sum_of_squares(values: Sequence[float]) -> float:
    """Sum of squared deviations from the mean."""
    centre = mean(values)
    return math.fsum((value - centre) ** 2 for value in values)


def run_variance(sessions: Sequence[Sequence[RunStat]], policy: Policy) -> Variance:
    """Moderated variance of log(value) between runs of one session, pooled over all `sessions`.

    Sections of a run hold different prompts, whole runs hold the same: the mean of what the runs say of their
    own sampling overstates, and is capped by the upper 90 % bound of what was seen between runs. Where no run
    says anything (a throughput, fewer than 50 requests), sampling noise must not pass for known: unless the
    runs agree to within the prior, the plain pooled variance counts, with its own few degrees of freedom.

    A calibrated ``run_sd`` holds the sampling and everything else, and was seen between runs of the same
    prompts: it is the whole prior, whether or not runs know their own scatter. It is not capped. The cap
    corrects something that overstates; cutting a true value whenever the runs of today agree by luck would
    make the interval too short just then. It counts for no more than the prior does, however many runs it
    rests on, because the noise between runs is that of the hour (neighbours, clocks), and the runs of both
    sides show it: they must be able to overrule a calibration of a quieter or a noisier day.
    """
    ss = math.fsum(sum_of_squares(log_values(runs)) for runs in sessions)
    nu = sum(len(runs) - 1 for runs in sessions)
    if policy.deterministic:
        return Variance(value=ss / nu, df=nu) if nu else Variance(value=0.0, df=math.inf)
    known = known_within(sessions)
    within = mean(known) if known else 0.0
    if nu >= 2:
        within = min(within, ss / chi2_quantile(0.10, nu))
    prior = _calibrated_variance(policy.run_sd)
    if prior is None:
        if not known and nu >= 2 and ss / nu > PRIOR_RUN_SD**2:
            return Variance(value=ss / nu, df=nu, beyond_sampling=ss / nu)
        prior = within + PRIOR_RUN_SD**2
    value = (PRIOR_DF * prior + ss) / (PRIOR_DF + nu)
    return Variance(value=value, df=PRIOR_DF + nu, beyond_sampling=max(0.0, value - within))


def _calibrated_variance(sd: float | None) -> float | None:
    """The square of a calibrated sd; None where there is none, or none that could be one."""
    if sd is None or not _LEAST_SD <= sd <= _GREATEST_SD:
        return None
    return sd * sd


def known_within(sessions: Sequence[Sequence[RunStat]]) -> list[float]:
    """Sampling variances inside the runs, of those runs that know their own."""
    given = (run.var_within for runs in sessions for run in runs)
    return [var for var in given if var is not None and math.isfinite(var) and var >= 0]


def session_variance(baseline: Sequence[Sequence[RunStat]], run: Variance, policy: Policy) -> Variance:
    """tau²: variance of session means beyond what their runs explain; 0 where both sides ran interleaved.

    The prior is the calibrated value with its own degrees of freedom, else that of the relation, but no less
    than half of the run variance beyond sampling: where runs scatter by 8 %, what makes them scatter (neighbours,
    clocks) outlasts a session often enough. The baseline's own sessions move it. Degrees of freedom below one,
    which no calibration gives, count as not known: the calibrated value then weighs as much as the prior would.
    """
    if policy.relation == "paired":
        return Variance(value=0.0, df=math.inf)
    n_sessions = len(baseline)
    seen = _seen_between(baseline, run)
    prior, prior_df = _calibrated_variance(policy.tau), 8.0 if n_sessions < 3 else 4.0
    if prior is None:
        if policy.deterministic:
            return Variance(value=seen, df=n_sessions - 1 if n_sessions > 1 else math.inf)
        prior = max(PRIOR_TAU[policy.relation] ** 2, LASTING_SHARE * run.beyond_sampling)
    elif policy.tau_df is not None and 1.0 <= policy.tau_df < math.inf:
        prior_df = policy.tau_df
    df = prior_df + n_sessions - 1
    return Variance(value=(prior_df * prior + (n_sessions - 1) * seen) / df, df=df)


def _seen_between(sessions: Sequence[Sequence[RunStat]], run: Variance) -> float:
    """Variance between session means beyond what the run variance explains, never negative."""
    if len(sessions) < 2:
        return 0.0
    means = [mean(log_values(runs)) for runs in sessions]
    explained = run.value * mean([1 / len(runs) for runs in sessions])
    return max(0.0, sum_of_squares(means) / (len(means) - 1) - explained)
