"""A metric of a third party is looked over before it counts as one: what is missing would show in every measurement."""

from __future__ import annotations

import warnings
from typing import Final, get_args

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.metrics.base_metric import (
    BaseLevelMetric,
    BaseListMetric,
    BaseMetric,
    BaseRecordMetric,
    BaseRunMetric,
    Direction,
    Group,
)
from pytest_aiperf.plugin.entry import Entry, PluginWarning
from pytest_aiperf.plugin.plugins import REGISTRY

_KINDS: Final = (BaseRecordMetric, BaseListMetric, BaseRunMetric, BaseLevelMetric)
_TOLD: Final = {"tag": str, "header": str, "unit": str, "display_order": int}


def admitted(entry: Entry) -> BaseMetric | None:
    """Return an instance; None, with a warning that says why, for a third party's metric that cannot be used.

    Every measurement computes every metric, so a broken one must not stop those that never heard of it.
    """
    if entry.source.built_in:
        return new_metric(entry)
    try:
        return new_metric(entry)
    except ConfigurationError as error:
        warnings.warn(f"left out: {error}", PluginWarning, stacklevel=2)
        return None


def new_metric(entry: Entry) -> BaseMetric:
    """Return an instance.

    Raises:
        ConfigurationError: it cannot be loaded or made, or does not say what a metric must say of itself.
    """
    metric = REGISTRY.load(entry)
    problem = _problem(metric, entry.name)
    if problem is not None:
        raise ConfigurationError(
            f"metric {entry.name!r} of {entry.source.package}: {entry.class_path} {problem}"
        )
    made: BaseMetric = metric()
    return made


def _problem(metric: type, name: str) -> str | None:
    if not issubclass(metric, _KINDS):
        return f"inherits from none of {', '.join(kind.__name__ for kind in _KINDS)}"
    if missing := getattr(metric, "__abstractmethods__", ()):
        return f"lacks the method {', '.join(sorted(missing))}"
    for attribute, kind in _TOLD.items():
        if not isinstance(getattr(metric, attribute, None), kind):
            return f"lacks {attribute} (a {'text' if kind is str else 'whole number'})"
    if metric.tag != name:
        return f"has the tag {metric.tag!r}; tag and registered name are the same"
    for attribute, choices in {"direction": get_args(Direction), "group": get_args(Group)}.items():
        if getattr(metric, attribute, None) not in choices:
            return f"has no usable {attribute}; write one of {', '.join(choices)}"
    return None
