"""Result files of other tools as sessions of runs, so that they can be a side of a verdict.

A file of another tool holds no key, no histogram and no scatter within a run. What it tells of its load is kept under
the names that a key has, and runs of the same load are runs of one session. All else stays unknown: see
`pytest_aiperf.measure.known_facts` for what is compared, and `pytest_aiperf.measure.seen_spread` for what a verdict
may rest on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from pytest_aiperf.baseline.consistency import run_contradictions
from pytest_aiperf.baseline.schema import (
    BaselineKey,
    Distribution,
    Environment,
    Recorded,
    Run,
    Session,
    SingleValue,
)
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.measure.load_key import describe_load
from pytest_aiperf.metrics.base_metric import BaseRunMetric
from pytest_aiperf.metrics.registry import all_metrics

NOT_TOLD: Final = "not told"
"""Of a workload: no file of another tool says which requests were sent."""
STATISTICS: Final = ("avg", "min", "max", "std", "p50", "p90", "p95", "p99")
_FACTORS: Final = {
    ("sec", "ms"): 1e3,
    ("s", "ms"): 1e3,
    ("us", "ms"): 1e-3,
    ("ns", "ms"): 1e-6,
    ("requests/sec", "requests/s"): 1.0,
    ("tokens/sec", "tokens/s"): 1.0,
}
"""From a file's unit to the metric's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A metric as a file has it, in the file's unit."""

    unit: str
    count: int
    figures: Mapping[str, float | None]
    """By name of `STATISTICS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRun:
    """One run as a file tells it."""

    load: Mapping[str, Any]
    """By the names of a key; what the file does not tell is missing."""
    model: str | None
    n_ok: int
    n_err: int
    window_s: float
    metrics: Mapping[str, Told]
    """By tag."""
    at: str
    """When, as the file says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMeasurement:
    """The runs of one load."""

    key: BaselineKey
    session: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignResults:
    """What a file, or several of one tool, hold."""

    tool: str
    """With its version, where the file tells it."""
    measurements: Sequence[ForeignMeasurement]


def foreign_results(tool: str, runs: Sequence[ForeignRun], *, source: str) -> ForeignResults:
    """Return the runs by their load, in the order of the file.

    Args:
        tool: name of the tool and its version.
        runs: of all files.
        source: the file or folder, for messages.

    Raises:
        ConfigurationError: there is no run, or figures cannot be of one run.
    """
    if not runs:
        raise ConfigurationError(f"{source}: it holds no run of {tool}: nothing was measured")
    by_load: dict[str, list[tuple[ForeignRun, Run]]] = {}
    for one in runs:
        same = json.dumps([one.model, one.load], sort_keys=True, default=str)
        by_load.setdefault(same, []).append((one, _run(one, source)))
    measurements = [_measurement(tool, pairs) for pairs in by_load.values()]
    return ForeignResults(tool=tool, measurements=measurements)


def _measurement(tool: str, pairs: Sequence[tuple[ForeignRun, Run]]) -> ForeignMeasurement:
    first = pairs[0][0]
    runs = tuple(run for _, run in pairs)
    facts = [tool, first.at, *(run.model_dump_json() for run in runs)]
    session = Session(
        id=hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()[:12],
        runs=runs,
        environment=Environment(client=tool),
        recorded=Recorded(at=first.at),
    )
    key = BaselineKey(
        test=tool.partition(" ")[0].lower(),
        name=describe_load(first.load),
        workload=NOT_TOLD,
        load=first.load,
        model=first.model,
    )
    return ForeignMeasurement(key=key, session=session)


def _run(one: ForeignRun, source: str) -> Run:
    try:
        run = Run(
            n_ok=one.n_ok,
            n_err=one.n_err,
            window_s=one.window_s,
            metrics={tag: _summary(tag, told, source) for tag, told in one.metrics.items()},
        )
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ConfigurationError(f"{source}: at {place}: {problem['msg']}") from None
    for place, what in run_contradictions(run):
        raise ConfigurationError(f"{source}: at {place}: {what}")
    return run


def _summary(tag: str, told: Told, source: str) -> Distribution | SingleValue:
    metric = all_metrics()[tag]
    factor = 1.0 if told.unit == metric.unit else _FACTORS.get((told.unit, metric.unit))
    if factor is None:
        raise ConfigurationError(
            f"{source}: at {tag}: its unit is {told.unit!r:.30}, and no way is known from that to {metric.unit}"
        )
    figures = {name: None if value is None else value * factor for name, value in told.figures.items()}
    if isinstance(metric, BaseRunMetric):
        return SingleValue(unit=metric.unit, direction=metric.direction, value=figures.get("avg"))
    return Distribution(unit=metric.unit, direction=metric.direction, count=told.count, **figures)
