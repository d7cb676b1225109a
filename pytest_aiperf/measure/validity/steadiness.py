"""Were the measured parts of a session's runs steady?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.steady_state import Floats, head_shift
from pytest_aiperf.measure.validity.check import Check
from pytest_aiperf.measure.validity.limits import Limits

_FEWEST: Final = 150
"""Measured requests below which chance and a transient look alike."""


def check_steady(runs: Sequence[RunData], config: AIPerfConfig) -> Iterator[Check]:
    """Compare the requests before the point at which latencies settle with the rest, over all runs of a session.

    Runs send the same requests in the same order, so a transient is at the same place in each and averaging them takes
    noise away. What must not be steady is not asked: a ramp, and a replayed trace.
    """
    load = config.load
    ramps = load.concurrency_ramp_s is not None or load.request_rate_ramp_s is not None
    measured = min((int(np.count_nonzero(run.inside)) for run in runs), default=0)
    if measured < _FEWEST or ramps or load.mode == "fixed_schedule":
        return
    warm_up = min(_warm_up(run) for run in runs)
    shift = head_shift(_log_latencies(runs, warm_up, measured), warm_up)
    yield Limits(config).check(
        "steady_state",
        abs(float(np.expm1(shift))),
        f"The first measured requests moved the mean latency by {100 * np.expm1(shift):+.1f} %: it had not settled "
        "when measuring began. Lengthen the warm-up (warmup_request_count), or look for what changes meanwhile.",
        fatal=False,
    )


def _warm_up(run: RunData) -> int:
    before = ~run.inside & (run.batch.t_end <= run.window.start_ns)
    return int(np.count_nonzero(before))


def _log_latencies(runs: Sequence[RunData], warm_up: int, measured: int) -> Floats:
    """Return ``(warm_up + measured,)`` log latencies by order of completion, averaged over the runs."""
    series = np.stack([_latencies_of(run, warm_up, measured) for run in runs])
    known = np.isfinite(series)
    count = known.sum(axis=0)
    # 0 where every run failed: like the average of the others, because each run's mean was taken off.
    means: Floats = np.where(known, series, 0.0).sum(axis=0) / np.maximum(count, 1)
    return means


def _latencies_of(run: RunData, warm_up: int, measured: int) -> Floats:
    """Return them for one run, less their mean: runs differ in level, which is not what is asked. NaN: it failed."""
    batch = run.batch
    order = np.argsort(batch.t_end, kind="stable")
    before = order[(~run.inside & (batch.t_end <= run.window.start_ns))[order]]
    rows = np.concatenate([before[len(before) - warm_up :], order[run.inside[order]][:measured]])
    t0, last = batch.t0[rows], batch.content_at(-1)[rows]
    good = (batch.outcome[rows] == Outcome.OK) & (t0 != ABSENT) & (last > t0)
    log: Floats = np.full(len(rows), np.nan)
    log[good] = np.log(last[good] - t0[good])
    return log - log[good].mean() if good.any() else log
