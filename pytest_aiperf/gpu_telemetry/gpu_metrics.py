"""The figures of a window that can be judged like any other metric of a run: their tags, units and directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pytest_aiperf.gpu_telemetry.window import GpuWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMetric:
    """A figure of a run."""

    tag: str
    header: str
    unit: str
    direction: Literal["lower", "higher", "neutral"]
    """Which way is better; ``neutral`` cannot be judged."""
    total: str
    """Name of the field of `GpuTotals`."""
    factor: float = 1.0
    """From the field's unit to this one."""


GPU_METRICS: Final = (
    GpuMetric(tag="gpu_power", header="GPU power", unit="W", direction="lower", total="power_mean_w"),
    GpuMetric(
        tag="gpu_power_peak", header="GPU power, peak", unit="W", direction="lower", total="power_peak_w"
    ),
    GpuMetric(
        tag="gpu_energy_per_request",
        header="GPU energy per request",
        unit="J/request",
        direction="lower",
        total="energy_per_request_j",
    ),
    GpuMetric(
        tag="gpu_energy_per_token",
        header="GPU energy per output token",
        unit="J/token",
        direction="lower",
        total="energy_per_output_token_j",
    ),
    GpuMetric(
        tag="gpu_tokens_per_joule",
        header="Output tokens per joule",
        unit="tokens/J",
        direction="higher",
        total="output_tokens_per_joule",
    ),
    GpuMetric(
        tag="gpu_utilisation",
        header="GPU utilisation",
        unit="%",
        direction="neutral",
        total="utilisation_mean_pct",
    ),
    GpuMetric(
        tag="gpu_memory_peak",
        header="GPU memory, peak",
        unit="GB",
        direction="lower",
        total="memory_peak_bytes",
        factor=1e-9,
    ),
    GpuMetric(
        tag="gpu_sm_clock", header="GPU SM clock", unit="MHz", direction="higher", total="sm_clock_mean_mhz"
    ),
    GpuMetric(
        tag="gpu_memory_clock",
        header="GPU memory clock",
        unit="MHz",
        direction="higher",
        total="memory_clock_mean_mhz",
    ),
    GpuMetric(
        tag="gpu_temperature",
        header="GPU temperature, highest",
        unit="°C",
        direction="neutral",
        total="temperature_max_c",
    ),
)
"""Nobody's default: one is judged where a tolerance names it. A hotter or busier GPU is neither better nor worse."""


def values_of(window: GpuWindow) -> Mapping[str, float | None]:
    """Return each metric of a run by its tag; None where it cannot be had."""
    return {metric.tag: _value(window, metric) for metric in GPU_METRICS}


def _value(window: GpuWindow, metric: GpuMetric) -> float | None:
    value: float | None = getattr(window.totals, metric.total)
    return None if value is None else value * metric.factor
