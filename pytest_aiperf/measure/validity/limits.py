"""How much each check allows. A limit that the configuration names replaces the usual one whole.

Some usual limits grow with what was measured (2 % of the latency, at least 1 ms); one that the user gives is the limit
as it stands, in the unit that the check's name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Final

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.validity.check import Check

USUAL: Final[Mapping[str, float]] = {
    "unsent_share": 0.0,
    "error_share": 0.05,
    "truncated_share": 0.05,
    "cancelled_share": 0.05,
    "osl_as_asked": 0.05,
    "osl_source_as_baseline": 0.0,
    "osl_as_baseline": 0.05,
    "isl_as_baseline": 0.05,
    "client_cpu_share": 0.85,
    "loop_lag_p99_ms": 5.0,
    "clock_step_ms": 1.0,
    "late_start_ms": 0.0,
    "turnaround_p99_ms": 1.0,
    "littles_law": 0.05,
    "schedule_lag_p99_ms": 5.0,
    "schedule_lag_share": 0.05,
    "sent_rate_shortfall": 0.02,
    "rate_shortfall": 0.02,
    "coalesced_share": 0.5,
    "steady_state": 0.02,
    "other_tenants": 0.02,
}
"""Every check by its name. Where the usual limit grows with what was measured, this is the least that it can be."""


class Limits:
    """What is allowed in one measurement.

    Raises:
        ConfigurationError: a limit is given for a check that does not exist, or is not a usable number.
    """

    def __init__(self, config: AIPerfConfig) -> None:
        given = config.verdict.validity
        for name, limit in given.items():
            if name not in USUAL:
                raise ConfigurationError(
                    f"validity: there is no check named {name!r}{did_you_mean(name, USUAL)}; "
                    f"known: {', '.join(sorted(USUAL))}"
                )
            if not (isfinite(limit) and limit >= 0):
                raise ConfigurationError(
                    f"validity: the limit {name} must be finite and at least 0, got {limit}"
                )
        self._given = given

    def check(
        self, name: str, value: float | None, advice: str, *, at_least: float = 0.0, fatal: bool = True
    ) -> Check:
        """Return the answer to one question. `at_least` is how far the usual limit grows in this run.

        A value of None was not measured, and holds.
        """
        limit = self._given.get(name)
        if limit is None:
            limit = max(USUAL[name], at_least)
        return Check(
            check=name,
            value=value,
            limit=float(limit),
            ok=value is None or value <= limit,
            advice=advice,
            fatal=fatal,
        )
