"""What the collectors of GPU telemetry need on this machine, asked before any load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType

if TYPE_CHECKING:
    from pytest_aiperf.gpu_telemetry.collector import GpuCollector


def validate_environments(names: Sequence[str]) -> None:
    """Let each local collector look whether what it needs is here; all that is missing is told at once.

    A collector that asks an exporter elsewhere is not imported for it: there is nothing to look for on this machine.

    Raises:
        ConfigurationError: something is missing, and what to install; or there is no such collector.
    """
    missing = []
    for name in names:
        if not plugins.entry(PluginType.GPU_TELEMETRY_COLLECTOR, name).metadata.get("is_local", True):
            continue
        collector: type[GpuCollector] = plugins.get_class(PluginType.GPU_TELEMETRY_COLLECTOR, name)
        try:
            collector.validate_environment()
        except ConfigurationError as error:
            missing.append(str(error))
    if missing:
        raise ConfigurationError("\n".join(missing))
