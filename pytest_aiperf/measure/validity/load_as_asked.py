"""Was the load that was asked for the load that was made?

In a closed loop the load is the number of requests in flight. In an open one it is the schedule: requests must leave
when it says so, and the server must keep up with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.steady_state import Floats, mean_error
from pytest_aiperf.measure.validity.check import Check
from pytest_aiperf.measure.validity.instrument import LAG_SHARE, median_latency_ms, median_ttft_ms
from pytest_aiperf.measure.validity.limits import Limits
from pytest_aiperf.measure.validity.slot_times import (
    begun_ns,
    could_be_sent_ns,
    in_flight,
    turnarounds_ns,
)

_TURNAROUND_SHARE: Final = 0.02
_FEWEST: Final = 30
"""Requests below which a rate is not asked for: one late request would decide."""
_SURE: Final = 3.0
"""Standard errors by which latencies must grow along a schedule before that is not chance."""


def check_start(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """Had every load process started before the first request that is measured?"""
    facts = run.batch.facts
    if facts.workers > 1:
        yield limits.check(
            "late_start_ms",
            facts.late_start_ns / 1e6,
            "A load process started when others were measuring already: this machine has too few CPUs for "
            f"{facts.workers} of them, so lower --aiperf-workers, or lengthen the warm-up.",
            at_least=run.window.start_ns / 1e6,
        )


def check_closed_loop(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """Were all slots busy?

    The average is what counts: a slot that stands empty for 2 % of the time takes 2 % from every throughput, which
    is what `littles_law` says. A few late refills alone change no figure, so `turnaround_p99_ms` is a warning.
    """
    concurrency = run.batch.facts.concurrency
    if run.batch.facts.open_loop or concurrency is None or _slots_wait_on_purpose(run, config):
        return
    gaps_ns = turnarounds_ns(run.batch, run.window)
    yield limits.check(
        "turnaround_p99_ms",
        float(np.percentile(gaps_ns, 99)) / 1e6 if gaps_ns.size else None,
        "The load process was late to refill its slots: something else uses this machine's CPUs.",
        at_least=_TURNAROUND_SHARE * median_latency_ms(run),
        fatal=False,
    )
    average = in_flight(run.batch, run.window)
    if average is not None:
        yield limits.check(
            "littles_law",
            abs(concurrency - average) / concurrency,
            f"On average {average:.2f} requests were in flight, not {concurrency}: "
            "slots stood empty, so the load was not what was asked for.",
        )


def check_schedule(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """Did requests leave when the schedule said so, as far as that lay with the load process?

    Latencies count from the send, so a late one moves them only by coming closer to its neighbours. That matters
    where lateness is a part of all the time that passes, which is what `schedule_lag_share` says. Only latencies from
    the due time hold the lateness whole, and those are not judged; so a late tail alone is a warning.
    """
    batch = run.batch
    could_ns = could_be_sent_ns(batch, turn_delay_ns=round(config.input.turn_delay_ms * 1e6))
    rows = run.inside & (could_ns != ABSENT)
    # When a slot for the prefill became free is not in the records.
    if not batch.facts.open_loop or not rows.any() or config.load.prefill_concurrency is not None:
        return
    could_ns = could_ns[rows]
    lag_ns = np.maximum(begun_ns(batch)[rows] - could_ns, 0)
    yield limits.check(
        "schedule_lag_p99_ms",
        float(np.percentile(lag_ns, 99)) / 1e6,
        "The load process sent some requests later than the schedule said, which effective_latency counts: "
        "something else uses this machine's CPUs.",
        at_least=LAG_SHARE * median_ttft_ms(run),
        fatal=False,
    )
    yield limits.check(
        "schedule_lag_share",
        float(lag_ns.sum() / np.maximum(batch.t_end[rows] - could_ns, 1).sum()),
        "The load process sent requests later than the schedule said: leave it a CPU of its own, "
        "give it more --aiperf-workers, or lower the rate.",
    )
    sent_span_ns = int(np.ptp(could_ns + lag_ns))
    if len(could_ns) >= _FEWEST and sent_span_ns:
        yield limits.check(
            "sent_rate_shortfall",
            max(1.0 - int(np.ptp(could_ns)) / sent_span_ns, 0.0),
            "The load process did not reach the rate that was asked for: give it more --aiperf-workers, "
            "or lower the rate.",
        )


def check_achieved_rate(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """Did the server keep up with the schedule?

    When it does not, each answer takes longer than the last, and by how much says what it lacks: with latencies that
    grow by b seconds a second, completions come at 1 / (1 + b) of the rate. Counting the completions in the
    schedule's span would not do, because what is in flight at its end is missing however well the server does.

    Not fatal: that the server cannot keep up is a finding about the server, and with a baseline perhaps a
    regression.
    """
    batch = run.batch
    rows = np.flatnonzero(run.inside & (batch.t_plan != ABSENT) & (batch.outcome == Outcome.OK))
    if not batch.facts.open_loop or len(rows) < _FEWEST or config.load.mode == "fixed_schedule":
        return
    rows = rows[np.argsort(batch.t_plan[rows], kind="stable")]
    due_s = batch.t_plan[rows] / 1e9
    growth, error = _growth(due_s, batch.t_end[rows] / 1e9 - due_s)
    growth = growth if growth > _SURE * error else 0.0
    yield limits.check(
        "rate_shortfall",
        growth / (1.0 + growth),
        f"With each second of the run, answers came {1e3 * growth:.0f} ms later: the server does not keep up with the "
        "rate, so latencies say how long the run was. Lower the rate.",
        fatal=False,
    )


def _growth(due_s: Floats, took_s: Floats) -> tuple[float, float]:
    """Return the slope of a straight line through the latencies, and its standard error.

    The latencies of a queue are like those of its last requests, so the error is that of a correlated series.
    """
    since = due_s - due_s.mean()
    spread = float((since**2).sum())
    if spread == 0.0:
        return 0.0, float("inf")
    took = took_s - took_s.mean()
    slope = float((since * took).sum()) / spread
    return slope, mean_error(took - slope * since) / float(np.sqrt(spread / len(since)))


def _slots_wait_on_purpose(run: RunData, config: AIPerfConfig) -> bool:
    load = config.load
    growing = (load.concurrency_ramp_s or 0.0) * 1e9 > run.window.start_ns
    return growing or load.prefill_concurrency is not None or config.input.turn_delay_ms > 0
