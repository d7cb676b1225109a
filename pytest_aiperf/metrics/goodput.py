"""Service level objectives: what a request must keep to be a good one, as people write it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.metrics.base_metric import BaseListMetric, BaseMetric, BaseRecordMetric
from pytest_aiperf.metrics.registry import ALIASES, all_metrics

_SEPARATORS: Final = re.compile(r"[\s,]+")
_EXAMPLE: Final = "write goodput='ttft:400 itl:20'"


def parse_slos(
    given: str | Mapping[str, float] | None, *, streaming: bool = True, open_loop: bool = True
) -> Mapping[str, float]:
    """Read ``"ttft:400 itl:20"``, or the same as a mapping, into limits by tag, in the units of the metrics.

    A metric of which less is better must be at most its limit, one of which more is better at least.

    Args:
        given: metrics by tag or short name, and numbers; parts are set apart by spaces or commas. None: no limits.
        streaming: whether the load has what the streaming metrics need.
        open_loop: whether requests have due times.

    Raises:
        ConfigurationError: a part that is no ``metric:number``, a metric that is not known, that has no value per
            request, of which neither more nor less is better, or that this load does not yield.
    """
    pairs = _pairs(given) if isinstance(given, str) else [*(given or {}).items()]
    slos: dict[str, float] = {}
    for name, value in pairs:
        metric = _metric(str(name))
        _check_load(str(name), metric, streaming=streaming, open_loop=open_loop)
        if metric.tag in slos:
            raise ConfigurationError(f"goodput: {metric.tag} has two limits; give one")
        slos[metric.tag] = _limit(str(name), value, metric)
    return slos


def _pairs(text: str) -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = []
    for part in _SEPARATORS.split(text.strip()):
        name, colon, value = part.partition(":")
        if not (name and colon and value):
            raise ConfigurationError(f"goodput: {part!r} in {text!r} is not metric:limit; {_EXAMPLE}")
        pairs.append((name, value))
    return pairs


def _metric(name: str) -> BaseMetric:
    known = {
        tag: metric
        for tag, metric in all_metrics().items()
        if isinstance(metric, BaseRecordMetric | BaseListMetric)
    }
    tag = ALIASES.get(name, name)
    if tag not in known:
        if tag in all_metrics():
            raise ConfigurationError(f"goodput: {name} has one value per run, not one per request")
        aliases = [alias for alias, full in ALIASES.items() if full in known]
        raise ConfigurationError(f"goodput: unknown metric {name!r}{did_you_mean(name, [*aliases, *known])}")
    if known[tag].direction == "neutral":
        raise ConfigurationError(f"goodput: neither more nor less {name} is better, so it has no limit")
    return known[tag]


def _check_load(name: str, metric: BaseMetric, *, streaming: bool, open_loop: bool) -> None:
    if metric.streaming_only and not streaming:
        raise ConfigurationError(f"goodput: {name} needs streaming=True; without it no request is good")
    if metric.open_loop_only and not open_loop:
        raise ConfigurationError(f"goodput: {name} needs due times (a request rate or a schedule)")


def _limit(name: str, value: object, metric: BaseMetric) -> float:
    try:
        limit = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        limit = math.nan
    if isinstance(value, bool) or not math.isfinite(limit) or limit < 0:
        raise ConfigurationError(f"goodput: the limit of {name} is a number of {metric.unit}, got {value!r}")
    return limit
