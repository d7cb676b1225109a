"""From a verdict to a test's outcome."""

from __future__ import annotations

import warnings
from typing import Final

import pytest

from pytest_aiperf.common.errors import (
    InconclusiveError,
    InvalidMeasurementError,
    MissingBaselineError,
    Regression,
    SloMissed,
)
from pytest_aiperf.exporters.failure_text import failure_text, headline
from pytest_aiperf.measure.measurement import Measurement
from pytest_aiperf.measure.result import Result
from pytest_aiperf.pytest_plugin import options
from pytest_aiperf.pytest_plugin.item_id import typed_node_id

_ERRORS: Final = {
    "regressed": Regression,
    "invalid": InvalidMeasurementError,
    "no_baseline": MissingBaselineError,
    "not_comparable": MissingBaselineError,
    "inconclusive": InconclusiveError,
}


def conclude(item: pytest.Item, measurement: Measurement) -> Result:
    """Return the result for those verdicts that let the test go on.

    Raises:
        AssertionError: a regression, a missing baseline, a missed limit; inconclusive where that is to fail.
        InvalidMeasurementError: the measurement cannot be trusted: an error of the test.
    """
    __tracebackhide__ = True
    _raise_verdict(item, measurement)
    if measurement.missed:
        raise SloMissed("\n".join(map(str, measurement.missed)))
    result = Result(measurement)
    texts = item.ihook.pytest_aiperf_judge(item=item, name=measurement.name, result=result)
    if texts:
        raise AssertionError("\n".join(texts))
    return result


def _raise_verdict(item: pytest.Item, measurement: Measurement) -> None:
    __tracebackhide__ = True
    verdict = measurement.verdict
    missing = verdict in ("no_baseline", "not_comparable")
    policy = _policy(item, "missing", "fail") if missing else _policy(item, "inconclusive", "warn")
    if verdict == "inconclusive" and policy == "xfail":
        pytest.xfail(headline(measurement))
    if missing and policy != "fail":
        warnings.warn(f"aiperf: {headline(measurement)}", stacklevel=5)
    elif verdict in _ERRORS and (verdict != "inconclusive" or policy == "fail"):
        raise _ERRORS[verdict](failure_text(measurement, node_id=typed_node_id(item)))


def _policy(item: pytest.Item, field: str, default: str) -> str:
    value = options.value_of(item.config, field)
    return default if value is None else str(value)
