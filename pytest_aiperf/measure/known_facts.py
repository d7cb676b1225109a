"""What two files know in common, where one of them is another tool's.

A key is compared in full between two files of pytest-aiperf: what one side does not know makes them incomparable. A
file of another tool never knows the hardware or the requests, so such a side would be comparable with nothing. What
both tell must still be equal, and the verdict says what nobody could look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pytest_aiperf.baseline.schema import BaselineKey, Session
from pytest_aiperf.measure.foreign_result import NOT_TOLD
from pytest_aiperf.measure.judged import JudgedMetric, run_value

_HARDWARE: Final = (
    "accelerator",
    "accelerator_count",
    "accelerator_memory_bytes",
    "accelerator_mig",
    "power_limit_w",
)
_MATTERS: Final = ("concurrency", "request_rate", "request_count", "isl", "osl", "streaming", "endpoint_type")
"""Of a load: what is named where only one side tells it."""
_OF_THE_TOOL: Final = ("seed",)
"""The same number makes other requests in another tool."""


def shared(before: BaselineKey, now: BaselineKey) -> tuple[BaselineKey, BaselineKey]:
    """Return both keys without what only one of them knows; tests and names are what each tool calls them."""
    names = [
        name
        for name, value in before.load.items()
        if name in now.load and None not in (value, now.load[name]) and name not in _OF_THE_TOOL
    ]
    unknown: dict[str, Any] = dict.fromkeys(_HARDWARE)
    if None in (before.model, now.model):
        unknown["model"] = None
    if NOT_TOLD in (before.workload, now.workload):
        unknown["workload"] = NOT_TOLD
    sides = [
        key.model_copy(update={**unknown, "test": "", "name": None, "load": {n: key.load[n] for n in names}})
        for key in (before, now)
    ]
    return sides[0], sides[1]


def unknown_facts(before: BaselineKey, now: BaselineKey) -> Sequence[str]:
    """Return what could not be compared, in words."""
    found = [name for name in _MATTERS if _one_side(before.load, now.load, name)]
    if None in (before.model, now.model):
        found.append("model")
    return [*found, "accelerator", "the requests themselves"]


def in_both(
    metrics: Sequence[JudgedMetric], before: Sequence[Session], now: Sequence[Session]
) -> Sequence[JudgedMetric]:
    """Return the metrics of which each side has a value: tools do not write the same ones."""
    return [metric for metric in metrics if all(_has(metric, side) for side in (before, now))]


def _has(metric: JudgedMetric, side: Sequence[Session]) -> bool:
    return any(run_value(run, metric).value is not None for session in side for run in session.runs)


def _one_side(before: Mapping[str, Any], now: Mapping[str, Any], name: str) -> bool:
    return (before.get(name) is None) != (now.get(name) is None)
