"""Did the requests end as they should? Survivors of a failing server are no sample of its latency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.validity.check import Check
from pytest_aiperf.measure.validity.limits import Limits


def check_sent(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """Was everything sent? A run that was cut short is no measurement, whatever its limit says."""
    facts = run.batch.facts
    by_count = facts.planned is not None and config.load.duration_s is None
    unsent = 1.0 - len(run.batch) / facts.planned if by_count and facts.planned else 0.0
    why = f" ({facts.cut_short})" if facts.cut_short else ""
    check = limits.check(
        "unsent_share",
        unsent,
        f"The run was cut short{why}: raise the time limits or lower request_count.",
    )
    yield replace(check, ok=check.ok and facts.cut_short is None)


def check_outcomes(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """How many failed, broke off, or were cancelled without having been meant to be?"""
    yield limits.check(
        "error_share",
        _share(run, Outcome.ERROR),
        "Survivors of a failing server are no latency sample: look at the errors first.",
    )
    yield limits.check(
        "truncated_share",
        _share(run, Outcome.TRUNCATED),
        "Streams ended without finish_reason or [DONE]: the server or a proxy cuts them.",
    )
    asked = (config.load.cancellation_percent or 0.0) / 100
    yield limits.check(
        "cancelled_share",
        max(_share(run, Outcome.CANCELLED) - asked, 0.0),
        "Requests were cancelled that were not meant to be, because they took longer than the run: "
        "raise benchmark_grace_period, or ask for shorter answers.",
    )


def _share(run: RunData, outcome: Outcome) -> float:
    outcomes = run.batch.outcome[run.inside]
    return float(np.count_nonzero(outcomes == outcome) / max(len(outcomes), 1))
