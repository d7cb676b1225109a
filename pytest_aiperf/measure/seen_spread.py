"""Whether files show how much runs differ: without that, no difference between two figures means anything.

A measurement of pytest-aiperf knows the scatter within each run, and the gate makes do with one run a side on that and
on its prior. A figure that comes without it (a throughput, and all that another tool wrote) tells its scatter only by
several runs. With fewer than two degrees of freedom the gate would take its prior of 1.5 % for the whole truth: it
would pass on nothing, and call a run of a noisy server slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pytest_aiperf.baseline.schema import Run
from pytest_aiperf.measure.judged import JudgedMetric, run_value
from pytest_aiperf.measure.measurement import Comparison, Judgement
from pytest_aiperf.metrics.registry import all_metrics

_LEAST_DF: Final = 2
_WHY: Final = "too few runs to tell how much they differ: it takes two a side at least, and three are better"


def as_far_as_seen(
    judgement: Judgement, metrics: Sequence[JudgedMetric], sides: Sequence[Sequence[Run]]
) -> Judgement:
    """Return the judgement without what it says of figures whose spread nobody saw.

    Args:
        judgement: as the gate gave it.
        metrics: what was judged.
        sides: the runs of each session, of both sides.
    """
    unseen = {metric.name for metric in metrics if not _is_seen(metric, sides)}
    rows = [
        _undecided(row) if row.metric in unseen and _is_decided(row) else row for row in judgement.comparisons
    ]
    if rows == list(judgement.comparisons):
        return judgement
    if any(row.verdict == "regressed" for row in rows):
        named = "; ".join(f"{row.metric}: {row.reason}" for row in rows if row.verdict == "regressed")
        return replace(judgement, comparisons=rows, reason=named)
    named = "; ".join(f"{row.metric}: {row.reason}" for row in rows if row.verdict == "inconclusive")
    return replace(judgement, verdict="inconclusive", comparisons=rows, reason=named)


def _is_seen(metric: JudgedMetric, sides: Sequence[Sequence[Run]]) -> bool:
    if all_metrics()[metric.tag].deterministic:
        return True
    values = [[run_value(run, metric) for run in runs] for runs in sides]
    if any(one.var_within is not None for runs in values for one in runs):
        return True
    usable = [sum(1 for one in runs if one.value) for runs in values]
    return sum(max(0, count - 1) for count in usable) >= _LEAST_DF


def _is_decided(row: Comparison) -> bool:
    return row.verdict in ("pass", "regressed", "inconclusive") and row.change is not None


def _undecided(row: Comparison) -> Comparison:
    return replace(
        row,
        verdict="inconclusive",
        reason=_WHY,
        ci95=None,
        mde=None,
        baseline_half=None,
        now_half=None,
        improved=False,
    )
