"""Names in a configuration file that its reader does not know: metrics, statistics, validity checks, columns.

They are here because no floor further down knows all of them. What it takes to tell is imported where a file has such
names: numpy stands behind the metrics, and a file is read in every session that has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.config.loader.option_values import Checks


def _tolerance(tolerance: Mapping[str, Any]) -> None:
    for metric in tolerance:
        _metric(metric)


def _metric(text: str) -> None:
    from pytest_aiperf.metrics.registry import parse_judged

    parse_judged(text)


def _goodput(limits: Mapping[str, Any]) -> None:
    from pytest_aiperf.metrics.goodput import parse_slos

    parse_slos(limits)


def _validity(limits: Mapping[str, Any]) -> None:
    from pytest_aiperf.measure.validity.limits import USUAL

    for name in limits:
        if name not in USUAL:
            raise ConfigurationError(f"there is no check of this name{did_you_mean(name, USUAL)}")


def _columns(text: str) -> None:
    from pytest_aiperf.exporters.columns import parse_columns

    parse_columns(text)


CONFIG_CHECKS: Final[Checks] = {
    "tolerance": _tolerance,
    "metrics": _metric,
    "goodput": _goodput,
    "validity": _validity,
    "columns": _columns,
}
"""For `read_config_file`."""
