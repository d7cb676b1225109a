"""The categories of things that can be registered."""

from __future__ import annotations

import enum


class PluginType(enum.StrEnum):
    """A category of `plugins.yaml`; the value is the category's key there."""

    ARRIVAL_PATTERN = "arrival_pattern"
    ENDPOINT = "endpoint"
    GPU_TELEMETRY_COLLECTOR = "gpu_telemetry_collector"
    METRIC = "metric"
    SERVICE = "service"
    TRANSPORT = "transport"
