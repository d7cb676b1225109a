"""What a stored baseline says: its figures, how well its runs know them, and what a check against it can find."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.baseline.schema import (
    Baseline,
    BaselineKey,
    Distribution,
    Run,
    Session,
    SingleValue,
    Variance,
)
from pytest_aiperf.judge.difference import exp, mean_of_sessions
from pytest_aiperf.judge.interval import run_interval
from pytest_aiperf.judge.samples import Policy, RunStat
from pytest_aiperf.judge.usable import stated_values, usable_sessions
from pytest_aiperf.judge.variance import run_variance
from pytest_aiperf.measure.judged import (
    ACCURACY,
    ACCURACY_TOLERANCE,
    DEFAULT_TOLERANCE,
    TAIL_TOLERANCE,
    JudgedMetric,
    policy_of,
    run_value,
)
from pytest_aiperf.measure.judging import Case
from pytest_aiperf.measure.terms import FIRST_LOOK, Terms

TTFT: Final = JudgedMetric(tag="time_to_first_token", statistic="p50", tolerance=DEFAULT_TOLERANCE)
ITL: Final = JudgedMetric(tag="inter_token_latency", statistic="p50", tolerance=DEFAULT_TOLERANCE)
TAIL: Final = JudgedMetric(tag="request_latency", statistic="p95", tolerance=TAIL_TOLERANCE)
LATENCY: Final = JudgedMetric(tag="request_latency", statistic="p50", tolerance=DEFAULT_TOLERANCE)
RIGHT: Final = JudgedMetric(tag=ACCURACY[0], statistic=ACCURACY[1], tolerance=ACCURACY_TOLERANCE)
THROUGHPUT: Final = JudgedMetric(tag="request_throughput", statistic="value", tolerance=DEFAULT_TOLERANCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One statistic over the runs of some sessions, in `unit`."""

    metric: str
    label: str
    unit: str
    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a check of one metric can find. Shares are fractions; None where nothing can be said."""

    metric: str
    label: str
    tolerance: float | None
    mde: float | None
    """Smallest worsening that its first look finds with 95 % probability."""
    unchanged: str
    """The first look's verdict on a server that is exactly as it was recorded."""


def usual_metrics(key: BaselineKey) -> Sequence[JudgedMetric]:
    """Return what is judged by default of such a load, as far as a key tells."""
    return [TTFT, ITL, TAIL, RIGHT] if key.load.get("streaming", True) else [LATENCY, RIGHT]


def judgeable(metrics: Sequence[JudgedMetric], sessions: Sequence[Session]) -> Sequence[JudgedMetric]:
    """Return the metrics of which these sessions hold a value that rests on enough requests."""
    return [
        metric
        for metric in metrics
        if stated_values(_values(sessions, metric), policy_of(metric, Terms(), relation="same_host"))
    ]


def figures_of(
    sessions: Sequence[Session],
    metrics: Sequence[JudgedMetric],
    variance: Mapping[str, Variance],
) -> Sequence[Figure]:
    """Return the figures that the sessions hold, with their 95 % intervals.

    A value is the geometric mean over the runs, every session weighing the same: what the gate compares. One session's
    interval speaks of that session; that of several includes how sessions differ.
    """
    found = []
    for metric in metrics:
        # A figure that is too weak to be judged is a figure all the same.
        policy = replace(_policy(metric, sessions, variance), min_requests=1)
        interval = run_interval(_values(sessions, metric), policy)
        if interval is not None:
            middle = math.sqrt(interval[0]) * math.sqrt(interval[1])
            figure = Figure(
                metric=metric.name, label=metric.label, unit=metric.unit, value=middle, ci95=interval
            )
            found.append(figure)
    return found


def outlooks(baseline: Baseline) -> Sequence[Outlook]:
    """Return what a check against this baseline can find today, by default metric.

    The gate itself is asked. It is given a check of three runs on the host of the newest session, whose runs lie
    where the baseline's do and vary as much as they: the same values on average, and the variance between runs that
    the gate takes from the baseline. So the answer is that of a usual check of an unchanged server; a real one, whose
    runs happen to vary more or less, gets another.
    """
    sessions = judged_sessions(baseline)
    metrics = judgeable(usual_metrics(baseline.key), sessions)
    case = Case(
        terms=Terms(),
        metrics=metrics,
        baseline=sessions,
        host=sessions[-1].environment.host,
        variance=baseline.variance,
    )
    judgement = case.judge(_usual_runs(sessions, metrics, baseline.variance), look=0)
    names = {metric.name for metric in metrics}
    return [
        Outlook(
            metric=row.metric, label=row.label, tolerance=row.tolerance, mde=row.mde, unchanged=row.verdict
        )
        for row in judgement.comparisons
        if row.metric in names and row.against == "baseline"
    ]


def _usual_runs(
    sessions: Sequence[Session], metrics: Sequence[JudgedMetric], variance: Mapping[str, Variance]
) -> Sequence[Run]:
    """Three runs one standard deviation below, at, and above the baseline's mean: their variance is the baseline's."""
    template = sessions[-1].runs[0]
    summaries = {
        metric.tag: _three_of(metric, sessions, _policy(metric, sessions, variance)) for metric in metrics
    }
    return [
        Run(
            n_ok=template.n_ok,
            n_err=0,
            window_s=template.window_s,
            metrics={tag: three[i] for tag, three in summaries.items()},
        )
        for i in range(FIRST_LOOK)
    ]


def _three_of(
    metric: JudgedMetric, sessions: Sequence[Session], policy: Policy
) -> Sequence[Distribution | SingleValue]:
    usable = usable_sessions(_values(sessions, metric), policy)
    n_ok = min((run.n_ok for runs in usable for run in runs), default=metric.min_requests)
    middle = mean_of_sessions(usable) if usable else -math.inf  # zero throughout has no logarithm
    sd = math.sqrt(run_variance(usable, policy).value) if usable else 0.0
    return [
        _summary(metric, exp(middle + steps * sd), count=n_ok) for steps in (-1, *(0,) * (FIRST_LOOK - 2), 1)
    ]


def _summary(metric: JudgedMetric, value: float, *, count: int) -> Distribution | SingleValue:
    shape = {"unit": metric.unit, "direction": "lower"}
    if metric.statistic == "value":
        return SingleValue.model_validate(shape | {"value": value})
    return Distribution.model_validate(shape | {"count": count, metric.statistic: value})


def _values(sessions: Sequence[Session], metric: JudgedMetric) -> Sequence[Sequence[RunStat]]:
    return [[run_value(run, metric) for run in session.runs] for session in sessions]


def _policy(metric: JudgedMetric, sessions: Sequence[Session], variance: Mapping[str, Variance]) -> Policy:
    one_host = len({session.environment.host for session in sessions}) == 1
    return policy_of(
        metric,
        Terms(),
        relation="same_host" if one_host else "same_part",
        calibrated=variance.get(metric.name),
    )
