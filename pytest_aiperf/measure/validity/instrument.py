"""Was the instrument itself sound: the load processes' CPU and event loop, and the clock?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.validity.check import Check
from pytest_aiperf.measure.validity.limits import Limits

LAG_SHARE: Final = 0.05
"""Of the median TTFT: so late may a load process be before it counts."""
_CLOCK_STEP_MS: Final = 1.0
_CLOCK_DRIFT: Final = 500e-6


def check_cpu(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """Had the busiest load process CPU time left?"""
    yield limits.check(
        "client_cpu_share",
        run.batch.facts.cpu_share,
        "The load process itself is the bottleneck: lower the concurrency, give it more --aiperf-workers, "
        "or use a faster machine.",
    )


def check_loop_lag(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """Was the event loop late?

    Only stamps that the load process takes itself suffer from it; the kernel's do not, and how late requests were
    sent is asked by itself. So it is fatal where stamps are not the kernel's, else a warning.
    """
    facts = run.batch.facts
    kernel = facts.timestamps == "kernel"
    what = (
        "Stamps are the kernel's and do not suffer, but requests may be sent late"
        if kernel
        else f"Arrivals are stamped by the load process itself (timestamps: {facts.timestamps}), so they are late too"
    )
    yield limits.check(
        "loop_lag_p99_ms",
        facts.loop_lag_p99_ns / 1e6,
        f"The load process was kept from running. {what}: leave it a CPU of its own, or lower the load.",
        at_least=LAG_SHARE * median_ttft_ms(run),
        fatal=not kernel,
    )


def check_clock(run: RunData, config: AIPerfConfig, limits: Limits) -> Iterator[Check]:
    """Did the clock on which everything is stamped run evenly?"""
    facts = run.batch.facts
    yield limits.check(
        "clock_step_ms",
        abs(facts.clock_shift_ns) / 1e6,
        "The clock was stepped during the run: let time synchronisation settle, then measure again.",
        at_least=_CLOCK_STEP_MS + _CLOCK_DRIFT * facts.end_ns / 1e6,
    )


def median_ttft_ms(run: RunData) -> float:
    """Return the median TTFT, or the median latency where there is none; 0 where nothing ended well."""
    values = run.values.get("time_to_first_token")
    return float(np.median(values)) if values is not None and values.size else median_latency_ms(run)


def median_latency_ms(run: RunData) -> float:
    """Return the median latency; 0 where nothing ended well."""
    values = run.values.get("request_latency")
    return float(np.median(values)) if values is not None and values.size else 0.0
