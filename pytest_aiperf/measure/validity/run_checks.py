"""Is this a measurement at all? Every check of one run, in a fixed order.

An invalid run is never a pass and never a regression. What would move a figure that is judged is fatal; what would
not is a warning. Each question stands in the module of what it looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.validity.answers import check_coalesced, check_osl
from pytest_aiperf.measure.validity.check import Check
from pytest_aiperf.measure.validity.instrument import check_clock, check_cpu, check_loop_lag
from pytest_aiperf.measure.validity.limits import Limits
from pytest_aiperf.measure.validity.load_as_asked import (
    check_achieved_rate,
    check_closed_loop,
    check_schedule,
    check_start,
)
from pytest_aiperf.measure.validity.outcomes import check_outcomes, check_sent

SPOILT_FROM_OUTSIDE: Final = frozenset(
    {
        "client_cpu_share",
        "clock_step_ms",
        "late_start_ms",
        "littles_law",
        "loop_lag_p99_ms",
        "schedule_lag_share",
        "sent_rate_shortfall",
    }
)
"""A fatal check of these says that something beside the server spoilt the run: another run may well be sound."""

_QUESTIONS: Final[Sequence[Callable[[RunData, AIPerfConfig, Limits], Iterator[Check]]]] = (
    check_sent,
    check_outcomes,
    check_osl,
    check_cpu,
    check_loop_lag,
    check_clock,
    check_start,
    check_closed_loop,
    check_schedule,
    check_achieved_rate,
    check_coalesced,
)


def check_run(run: RunData, config: AIPerfConfig) -> Sequence[Check]:
    """Return every check of one run.

    Raises:
        ConfigurationError: a limit was given for a check that does not exist, or is not a usable number.
    """
    limits = Limits(config)
    return [check for question in _QUESTIONS for check in question(run, config, limits)]
