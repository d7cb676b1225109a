"""PYTEST_DONT_REWRITE. The categories of things that can be registered, and an enum of the names of each.

``EndpointType``, ``TransportType``, ``ArrivalPatternType``, ``MetricType``, ``ServiceType`` and
``GpuTelemetryCollectorType`` are made when they are first used, from whatever is registered by then, third parties'
names too: ``EndpointType.CHAT``, ``EndpointType("chat")``.
"""

from __future__ import annotations

import enum
from functools import cache
from typing import Self

from pytest_aiperf.plugin.entry import normalised


class PluginType(enum.StrEnum):
    """A category; the value is its key in every `plugins.yaml`, and in `categories.yaml`."""

    ARRIVAL_PATTERN = "arrival_pattern"
    DATASET_LOADER = "dataset_loader"
    ENDPOINT = "endpoint"
    GPU_TELEMETRY_COLLECTOR = "gpu_telemetry_collector"
    METRIC = "metric"
    SAMPLER = "sampler"
    SERVICE = "service"
    TRANSPORT = "transport"


class PluginName(enum.StrEnum):
    """A name of one category; case and ``-`` do not matter."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        name = normalised(value) if isinstance(value, str) else None
        return next((member for member in cls if member.value == name), None)


def enum_name(category: PluginType) -> str:
    """Return the name of the enum of a category's names: ``EndpointType``."""
    return category.value.title().replace("_", "") + "Type"


def __getattr__(name: str) -> type[PluginName]:
    category = next((each for each in PluginType if enum_name(each) == name), None)
    if category is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_aiperf.plugin.plugins import REGISTRY

    return _names_of(category, tuple(REGISTRY.names(category)))


@cache
def _names_of(category: PluginType, names: tuple[str, ...]) -> type[PluginName]:
    made: type[PluginName] = PluginName(  # type: ignore[assignment, call-arg]  # an enum's class makes enums
        enum_name(category), {name.upper(): name for name in names}
    )
    return made
