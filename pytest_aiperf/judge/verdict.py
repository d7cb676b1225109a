"""The verdict of a whole test, from those of its metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_aiperf.judge.reason import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_aiperf.judge.samples import Decision, Verdict

GRAVEST_FIRST: tuple[Verdict, ...] = ("regressed", "not_comparable", "no_baseline", "inconclusive", "pass")


def combine(decisions: Mapping[str, Decision]) -> tuple[Verdict, str]:
    """The gravest verdict among the metrics and the metrics that brought it about; the mapping is by metric.

    No metric at all is inconclusive: a test in which nothing could be judged has not passed.
    """
    if not decisions:
        return "inconclusive", "no metric could be judged"
    verdict = min((one.verdict for one in decisions.values()), key=GRAVEST_FIRST.index)
    if verdict == "pass":
        names = ", ".join(decisions)
        return verdict, f"within tolerance: {names}"
    return verdict, "; ".join(
        f"{name}: {one.reason}" for name, one in decisions.items() if one.verdict == verdict
    )


def another_look(decisions: Mapping[str, Decision], look: int, n_looks: int) -> bool:
    """Whether more runs are worth it: nothing has regressed, more runs could settle something, and looks are
    left."""
    if look + 1 >= n_looks or any(one.verdict == "regressed" for one in decisions.values()):
        return False
    return any(one.more_runs_help for one in decisions.values())


def limit_mde(decision: Decision, max_mde: float) -> Decision:
    """Turn a pass that proves too little into inconclusive: one that would have missed a worsening of
    `max_mde`."""
    if decision.verdict != "pass" or decision.mde is None or decision.mde <= max_mde:
        return decision
    reason = f"{decision.reason}, but {percent(max_mde)} was asked for"
    return replace(decision, verdict="inconclusive", reason=reason, improved=False, more_runs_help=True)
