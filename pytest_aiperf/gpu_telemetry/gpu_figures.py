"""What one GPU did over a window of time. Pure: readings in, figures out.

A figure that cannot be had is None, and `absent` says why. None of them is ever NaN, and none is 0 for want of a
reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pytest_aiperf.gpu_telemetry.collector import SHARED_BY_SLICES, GpuIdentity, GpuProcess, GpuSample
from pytest_aiperf.gpu_telemetry.counter import counter_delta
from pytest_aiperf.gpu_telemetry.span import Point, Span, TooFewReadingsError, mean_over, rise_over

EnergySource = Literal["counter", "power"]
_MEANS: Final = {
    "power_mean_w": "power_w",
    "utilisation_mean_pct": "utilisation_pct",
    "memory_utilisation_mean_pct": "memory_utilisation_pct",
    "sm_clock_mean_mhz": "sm_clock_mhz",
    "memory_clock_mean_mhz": "memory_clock_mhz",
}
_HIGHEST: Final = {
    "power_peak_w": "power_w",
    "utilisation_max_pct": "utilisation_pct",
    "memory_peak_bytes": "memory_used_bytes",
    "temperature_max_c": "temperature_c",
}
_LOWEST: Final = {"sm_clock_min_mhz": "sm_clock_mhz", "memory_clock_min_mhz": "memory_clock_mhz"}
_NOT_TOLD: Final = "no reading tells it"
_NOT_DIVIDED: Final = "shared between the slices of the card; the driver does not divide it"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFigures:
    """One GPU, or one slice, over a window. Means are over time."""

    gpu: GpuIdentity
    readings: int
    """Inside the window."""
    power_mean_w: float | None = None
    power_peak_w: float | None = None
    energy_j: float | None = None
    energy_from: EnergySource | None = None
    """``counter``: the driver's own, its difference; ``power``: the area under the power readings."""
    utilisation_mean_pct: float | None = None
    utilisation_max_pct: float | None = None
    memory_utilisation_mean_pct: float | None = None
    memory_peak_bytes: float | None = None
    sm_clock_mean_mhz: float | None = None
    sm_clock_min_mhz: float | None = None
    memory_clock_mean_mhz: float | None = None
    memory_clock_min_mhz: float | None = None
    temperature_max_c: float | None = None
    pcie_tx_bytes_per_s: float | None = None
    pcie_rx_bytes_per_s: float | None = None
    throttle_share: Mapping[str, float] | None = None
    """Share of the window in which each reason was seen, 0 to 1; a reason that was never seen is not in it."""
    xid_errors: tuple[int, ...] | None = None
    """Driver errors that were told in the window, or by the first reading after it."""
    ecc_corrected: int | None = None
    """Memory errors that were corrected in the window."""
    ecc_uncorrected: int | None = None
    processes: tuple[GpuProcess, ...] | None = None
    """Whoever held memory at some time in the window, each with the most that it held."""
    came_or_went: tuple[int, ...] | None = None
    """Numbers of those that did so in the course of the window."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is None, by its name."""


def figures_of(gpu: GpuIdentity, samples: Sequence[GpuSample], span: Span) -> GpuFigures:
    """Return the figures of one GPU; `samples` are its own, by stamp, with the nearest ones outside the window."""
    made = _Figures(gpu, samples, span)
    for name, source in _MEANS.items():
        made.put(name, made.mean, source)
    for name, source in _HIGHEST.items():
        made.put(name, made.highest, source)
    for name, source in _LOWEST.items():
        made.put(name, made.lowest, source)
    made.put("ecc_corrected", made.counted, "ecc_corrected")
    made.put("ecc_uncorrected", made.counted, "ecc_uncorrected")
    made.put("pcie_tx_bytes_per_s", made.pcie, "tx")
    made.put("pcie_rx_bytes_per_s", made.pcie, "rx")
    made.put("throttle_share", made.throttling)
    made.put("xid_errors", made.xids)
    made.put("processes", made.tenants)
    made.put("came_or_went", made.movements)
    made.energy()
    inside = sum(span.has(sample.stamp_ns) for sample in samples)
    return GpuFigures(gpu=gpu, readings=inside, absent=made.absent, **made.told)


class _Figures:
    """Collects what can be told of one GPU, and why the rest cannot."""

    def __init__(self, gpu: GpuIdentity, samples: Sequence[GpuSample], span: Span) -> None:
        self._gpu, self._samples, self._span = gpu, samples, span
        self.told: dict[str, Any] = {}
        self.absent: dict[str, str] = {}

    def put(self, name: str, make: Callable[..., Any], *arguments: str) -> None:
        """Have a figure made, or keep the reason for which it cannot be."""
        try:
            self.told[name] = make(*arguments)
        except TooFewReadingsError as error:
            self.absent[name] = str(error)

    def mean(self, source: str) -> float:
        return mean_over(self.points(source), self._span)

    def highest(self, source: str) -> float:
        return max(self.inside(source))

    def lowest(self, source: str) -> float:
        return min(self.inside(source))

    def counted(self, source: str) -> int:
        """How far a counter of rare events went, from the reading before the window to the one after it."""
        values = [value for _, value in self.points(source)]
        if len(values) < 2:
            raise TooFewReadingsError("one reading")
        rise = counter_delta(int(value) for value in values)
        if rise is None:
            raise TooFewReadingsError("the counter went back: the driver was loaded anew")
        return rise

    def points(self, source: str) -> list[Point]:
        """All readings of a field. Raises `TooFewReadingsError` where it has none."""
        found = [
            (one.stamp_ns, value) for one in self._samples if (value := getattr(one, source)) is not None
        ]
        if not found and self._samples:
            shared = self._gpu.mig_slice is not None and source in SHARED_BY_SLICES
            raise TooFewReadingsError(_NOT_DIVIDED if shared else _NOT_TOLD)
        return found

    def inside(self, source: str) -> list[float]:
        """The readings of a field within the window, two at least."""
        found = [value for stamp_ns, value in self.points(source) if self._span.has(stamp_ns)]
        if len(found) < 2:
            raise TooFewReadingsError(f"{'one reading' if found else 'no reading'} within the window")
        return found

    def energy(self) -> None:
        """The counter's, else the area under the power."""
        try:
            joules = rise_over(self.points("energy_mj"), self._span) / 1000
            self.told.update(energy_j=joules, energy_from="counter")
        except TooFewReadingsError as error:
            mean = self.told.get("power_mean_w")
            if mean is None:
                self.absent["energy_j"] = f"counter: {error}; power: {self.absent['power_mean_w']}"
            else:
                self.told.update(energy_j=mean * self._span.seconds, energy_from="power")

    def pcie(self, way: str) -> float:
        """The counter's, else the mean of the rates, from a source that has these."""
        try:
            return rise_over(self.points(f"pcie_{way}_bytes"), self._span) / self._span.seconds
        except TooFewReadingsError:
            if all(getattr(one, f"pcie_{way}_bytes_per_s") is None for one in self._samples):
                raise
        return mean_over(self.points(f"pcie_{way}_bytes_per_s"), self._span)

    def throttling(self) -> Mapping[str, float]:
        """A reading holds until the next one; the last one before the window holds at its start."""
        told = self._known("throttle_reasons")
        ends = [*(one.stamp_ns for one in told[1:]), self._span.end_ns]
        total_ns, by_reason = 0, dict[str, int]()
        for one, next_ns in zip(told, ends, strict=True):
            held_ns = min(next_ns, self._span.end_ns) - max(one.stamp_ns, self._span.start_ns)
            if held_ns <= 0:
                continue
            total_ns += held_ns
            for reason in one.throttle_reasons or ():
                by_reason[reason] = by_reason.get(reason, 0) + held_ns
        return {reason: held_ns / total_ns for reason, held_ns in sorted(by_reason.items())}

    def xids(self) -> tuple[int, ...]:
        """A reading tells what came since the one before it: the one before the window tells of what was earlier."""
        span, told = self._span, self._known("xid_errors")
        later = [one for one in told if one.stamp_ns > span.end_ns][:1]
        heard = [*(one for one in told if span.has(one.stamp_ns)), *later]
        return tuple(number for one in heard for number in one.xid_errors or ())

    def tenants(self) -> tuple[GpuProcess, ...]:
        most: dict[int, int | None] = {}
        for one in self._known("processes"):
            for process in one.processes or ():
                held = [
                    bytes_ for bytes_ in (most.get(process.pid), process.memory_bytes) if bytes_ is not None
                ]
                most[process.pid] = max(held, default=None)
        return tuple(GpuProcess(pid=pid, memory_bytes=held) for pid, held in sorted(most.items()))

    def movements(self) -> tuple[int, ...]:
        present: list[set[int]] = [
            {process.pid for process in one.processes or ()} for one in self._known("processes")
        ]
        return tuple(sorted(set().union(*present) - present[0].intersection(*present)))

    def _known(self, source: str) -> list[GpuSample]:
        """The samples that tell a field, with the last one before the window and the first one after it."""
        self.inside(source)
        return [one for one in self._samples if getattr(one, source) is not None]
