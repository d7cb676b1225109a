"""Is this a measurement at all? Every check states its value, its limit and what to do when it fails."""

from __future__ import annotations

from pytest_aiperf.measure.validity.check import Check
from pytest_aiperf.measure.validity.limits import Limits
from pytest_aiperf.measure.validity.run_checks import SPOILT_FROM_OUTSIDE, check_run
from pytest_aiperf.measure.validity.steadiness import check_steady

__all__ = ["SPOILT_FROM_OUTSIDE", "Check", "Limits", "check_run", "check_steady"]
