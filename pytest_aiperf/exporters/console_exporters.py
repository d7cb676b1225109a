"""The tables that there are."""

from __future__ import annotations

from typing import Final

from pytest_aiperf.exporters.console_metrics_exporter import ConsoleMetricsExporter
from pytest_aiperf.exporters.console_rows import MetricConsoleGroup, MetricFlags

INTERNAL: Final = "internal"
EXPERIMENTAL: Final = "experimental"
HTTP_TRACE: Final = "http"


class ConsoleInternalMetricsExporter(ConsoleMetricsExporter):
    """Whether the load generator kept its schedule."""

    title = "load generator"
    require_flags = MetricFlags.INTERNAL
    exclude_flags = MetricFlags.ERROR_ONLY
    console_groups = None
    shown_on_request = INTERNAL


class ConsoleExperimentalMetricsExporter(ConsoleMetricsExporter):
    """Levels over time: concurrency, tokens in flight."""

    title = "levels over time"
    require_flags = MetricFlags.EXPERIMENTAL
    exclude_flags = MetricFlags.ERROR_ONLY
    console_groups = None
    shown_on_request = EXPERIMENTAL


class HttpTraceConsoleExporter(ConsoleMetricsExporter):
    """The parts of an HTTP exchange."""

    title = "HTTP"
    require_flags = MetricFlags.HTTP_TRACE
    exclude_flags = MetricFlags.ERROR_ONLY
    console_groups = None
    shown_on_request = HTTP_TRACE


class ConsoleErrorExporter(ConsoleMetricsExporter):
    """Failed requests, the most frequent failure first."""

    title = "failed requests"
    require_flags = MetricFlags.ERROR_ONLY
    exclude_flags = MetricFlags.NONE
    console_groups = (MetricConsoleGroup.ERRORS,)
    split_by_group = False
    statistics = ("count",)


class GPUTelemetryConsoleExporter(ConsoleMetricsExporter):
    """What the GPUs did, over the runs."""

    title = "GPUs"
    require_flags = MetricFlags.GPU
    exclude_flags = MetricFlags.NONE
    console_groups = None
    statistics = ("avg", "min", "max")


class ServerMetricsConsoleExporter(ConsoleMetricsExporter):
    """What the server says of itself."""

    title = "server"
    require_flags = MetricFlags.SERVER
    exclude_flags = MetricFlags.NONE
    console_groups = None
    statistics = ("avg", "min", "max")


CONSOLE_EXPORTERS: Final = (
    ConsoleMetricsExporter,
    ConsoleInternalMetricsExporter,
    ConsoleExperimentalMetricsExporter,
    HttpTraceConsoleExporter,
    GPUTelemetryConsoleExporter,
    ServerMetricsConsoleExporter,
    ConsoleErrorExporter,
)
"""In the order in which they are printed."""
