"""What A/A sessions say of each judged metric, and what of it is kept in a baseline for the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.schema import Baseline, Variance
from pytest_aiperf.common.errors import BaselineError, ConfigurationError
from pytest_aiperf.judge.advice import Option, advise, planned_mde
from pytest_aiperf.judge.calibration import Calibration, calibrate, replay
from pytest_aiperf.judge.samples import Decision
from pytest_aiperf.measure.calibrating import LoadSessions
from pytest_aiperf.measure.judged import JudgedMetric, policy_of, run_value

SHOWN_SESSIONS: Final = (1, 3, 5)
"""Sizes of a baseline for which is said what a check would find."""
REPLAYED_AGAINST: Final = 3
"""Sessions that stand for the baseline when the sessions judge each other."""
_TOLERANCE_SHARE: Final = 0.5
"""Of the wanted change: within its tolerance a change is never called one, however well it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedMetric:
    """One judged metric of one load."""

    metric: JudgedMetric
    calibration: Calibration | None
    """None: `problem` says why."""
    problem: str = ""
    mde: Mapping[int, float] = field(default_factory=dict)
    """By sessions of the baseline: what a check of as many runs as the first look has would find."""
    replayed: Sequence[Decision] = ()
    """Sessions judged against those before them, as a check would have."""
    advised_tolerance: float = 0.0
    """The tolerance for which the advice holds: the metric's own, or less, so that the wanted change is beyond it."""
    advice: Sequence[Option] = ()

    @property
    def variance(self) -> Variance | None:
        """What the gate reads."""
        found = self.calibration
        return None if found is None else Variance(run_sd=found.run_sd, tau=found.tau, df=found.tau_df)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedLoad:
    """All judged metrics of one load."""

    made: LoadSessions
    wanted: float
    metrics: Sequence[CalibratedMetric]


def figures_of(made: LoadSessions, *, wanted: float) -> CalibratedLoad:
    """Return what the sessions say; `wanted` is the change that is to be found (0.05 = 5 %)."""
    return CalibratedLoad(
        made=made, wanted=wanted, metrics=[_metric(metric, made, wanted) for metric in made.metrics]
    )


def store_variances(load: CalibratedLoad) -> bool:
    """Write the variances into the load's baseline, all else left as it is; False: there is none, or none was found.

    The file is read anew: somebody may have recorded a session since. Of metrics that were not calibrated now,
    earlier values stay.

    Raises:
        BaselineError: it cannot be read or written, or is of another load by now; nothing was changed.
    """
    path, before = load.made.task.request.baseline_path, load.made.task.baseline
    found = {one.metric.name: one.variance for one in load.metrics if one.variance is not None}
    if path is None or before is None or not found:
        return False
    now = store.load(path)
    if now is None or now.key != before.key:
        raise BaselineError(
            f"{path}: was {'deleted' if now is None else 'recorded for another load'} while it was calibrated; "
            "nothing was written. Calibrate again."
        )
    store.save(path, store.dump(with_variances(now, found)))
    return True


def with_variances(baseline: Baseline, found: Mapping[str, Variance]) -> Baseline:
    """Return the baseline with these variances, by judged metric, beside those that it has of others."""
    return baseline.model_copy(update={"variance": {**baseline.variance, **found}})


def _metric(metric: JudgedMetric, made: LoadSessions, wanted: float) -> CalibratedMetric:
    policy = policy_of(metric, made.terms, relation="same_host")
    sessions = [[run_value(run, metric) for run in runs] for runs in made.sessions]
    try:
        found = calibrate(sessions, policy)
    except ConfigurationError as error:
        return CalibratedMetric(metric=metric, calibration=None, problem=str(error))
    tolerance = min(policy.tolerance, _TOLERANCE_SHARE * wanted)
    return CalibratedMetric(
        metric=metric,
        calibration=found,
        mde={
            stored: planned_mde(found, policy, runs=policy.looks[-1], sessions=stored)
            for stored in SHOWN_SESSIONS
        },
        replayed=replay(sessions, policy, baseline_sessions=min(REPLAYED_AGAINST, len(sessions) - 1)),
        advised_tolerance=tolerance,
        advice=advise(found, wanted=wanted, policy=replace(policy, tolerance=tolerance)),
    )
