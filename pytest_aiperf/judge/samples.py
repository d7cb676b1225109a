"""What goes into the gate and what comes out: plain values, no behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["lower", "higher"]
Relation = Literal["paired", "same_host", "same_part"]
Verdict = Literal["pass", "regressed", "inconclusive", "no_baseline", "not_comparable"]


@dataclass(frozen=True, slots=True)
class RunStat:
    """One metric's statistic over one run: the unit of replication.

    Args:
        value: the statistic in the metric's own unit; None, NaN, infinite or <= 0 makes the run unusable.
        n_ok: requests that the value rests on.
        var_within: variance of log(value) from sections of the run itself, None for n < 50.
        n_err: failed requests of the run.
    """

    value: float | None
    n_ok: int
    var_within: float | None = None
    n_err: int = 0


Session = Sequence[RunStat]
"""The runs of one pytest invocation against one server boot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one metric is judged. Tolerances are relative (0.05 = 5 %), `floor` is in the metric's unit."""

    tolerance: float = 0.05
    floor: float = 0.0
    direction: Direction = "lower"
    relation: Relation = "same_host"
    tau: float | None = None
    """Calibrated sd of log(value) between sessions; None takes the prior of the relation."""
    tau_df: float | None = None
    """Degrees of freedom of a calibrated `tau`; None: it counts for as much as the prior does."""
    run_sd: float | None = None
    """Calibrated sd of log(value) between runs of a session; None takes what the runs say of themselves."""
    strict: bool = False
    looks: tuple[int, ...] = (3, 5, 8)
    alpha_fail: tuple[float, ...] = (0.003, 0.003, 0.004)
    alpha_pass: tuple[float, ...] = (0.015, 0.015, 0.02)
    min_requests: int = 20
    """Runs that rest on fewer requests are dropped."""
    deterministic: bool = False
    """The metric has no run noise (token counts): no variance priors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The gate's answer for one metric. Relative figures are fractions; None where nothing can be said."""

    verdict: Verdict
    reason: str
    change: float | None = None
    """now / baseline - 1 of the metric's own value: +0.37 is 37 % more, whether that is better or worse."""
    ci95: tuple[float, float] | None = None
    """95 % interval of `change`."""
    se: float | None = None
    """Standard error of the oriented log difference."""
    df: float | None = None
    mde: float | None = None
    """Smallest worsening that this comparison would have found with 95 % probability, as a fraction."""
    improved: bool = False
    """Better than the baseline by more than the tolerance and by more than noise."""
    more_runs_help: bool = False
    """Inconclusive because of noise, not for want of a usable side: another look could settle it."""
