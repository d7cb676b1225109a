"""What the GPUs did while a run was measured: each of them, and all together. Pure.

The power of a card that the server does not use counts too, if the card is among those that are read: it is the price
of the machine. ``CUDA_VISIBLE_DEVICES`` leaves it out. What the *working* GPUs did (clocks, utilisation) is told of
those that did something, because the clocks of an idle card say nothing of the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pytest_aiperf.gpu_telemetry.collector import GpuIdentity, GpuSample
from pytest_aiperf.gpu_telemetry.gpu_figures import EnergySource, GpuFigures, figures_of
from pytest_aiperf.gpu_telemetry.span import Span, longest_gap_s

WORKING_PCT: Final = 1.0
"""A GPU whose mean utilisation is known and below this did not work."""
_GAP_S: Final = 2.0
"""Without a reading, inside the window, for so long is worth a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuTotals:
    """All GPUs of a window together. A sum with a part that is not known is not known."""

    power_mean_w: float | None = None
    energy_j: float | None = None
    energy_from: EnergySource | None = None
    """``power`` if that of any GPU is."""
    energy_per_request_j: float | None = None
    energy_per_output_token_j: float | None = None
    output_tokens_per_joule: float | None = None
    memory_peak_bytes: float | None = None
    """Sum of the GPUs' peaks, which need not have been at one moment."""
    temperature_max_c: float | None = None
    utilisation_mean_pct: float | None = None
    """Mean of the working GPUs, like the clocks."""
    sm_clock_mean_mhz: float | None = None
    memory_clock_mean_mhz: float | None = None
    power_peak_w: float | None = None
    """Of the GPU that took most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuWindow:
    """What the GPUs did from one moment to another."""

    start_ns: int
    end_ns: int
    gpus: tuple[GpuFigures, ...]
    totals: GpuTotals
    notes: tuple[str, ...] = field(default=())
    """What a reader should know of these figures, a sentence each."""

    def to_builtin(self) -> dict[str, Any]:
        """Return what the result document keeps of a run: no process numbers, no UUIDs, no NaN."""
        return {
            "start_ns": self.start_ns,
            "end_ns": self.end_ns,
            "gpus": [_row(one) for one in self.gpus],
            "total": asdict(self.totals),
            "notes": list(self.notes),
        }

    def for_baseline(self) -> dict[str, float | None]:
        """Return what a baseline keeps of a run."""
        return {
            "power_w": self.totals.power_mean_w,
            "energy_j": self.totals.energy_j,
            "sm_clock_mhz": self.totals.sm_clock_mean_mhz,
        }


def gpu_window(
    gpus: Sequence[GpuIdentity],
    samples: Sequence[GpuSample],
    *,
    start_ns: int,
    end_ns: int,
    requests: int | None = None,
    output_tokens: int | None = None,
) -> GpuWindow:
    """Return the figures of a window, CLOCK_REALTIME ns.

    `samples` are by stamp, those of all GPUs, with the nearest ones on either side of the window
    (`GpuLog.between`). `requests` and `output_tokens` are those that ended well within it;
    None where that is not known.

    Raises:
        ValueError: the window does not end after its start.
    """
    span = Span(start_ns=start_ns, end_ns=end_ns)
    by_gpu = {gpu.index: [one for one in samples if one.index == gpu.index] for gpu in gpus}
    figures = tuple(figures_of(gpu, by_gpu[gpu.index], span) for gpu in gpus)
    return GpuWindow(
        start_ns=start_ns,
        end_ns=end_ns,
        gpus=figures,
        totals=_totals(figures, requests, output_tokens),
        notes=tuple(note for one in figures for note in _notes(one, by_gpu[one.gpu.index], span)),
    )


def _totals(figures: Sequence[GpuFigures], requests: int | None, output_tokens: int | None) -> GpuTotals:
    working = [one for one in figures if _worked(one)]
    energy_j = _sum(figures, "energy_j")
    return GpuTotals(
        power_mean_w=_sum(figures, "power_mean_w"),
        energy_j=energy_j,
        energy_from=None if energy_j is None else _energy_source(figures),
        energy_per_request_j=_per(energy_j, requests),
        energy_per_output_token_j=_per(energy_j, output_tokens),
        output_tokens_per_joule=_per(output_tokens, energy_j),
        memory_peak_bytes=_sum(figures, "memory_peak_bytes"),
        temperature_max_c=_max(figures, "temperature_max_c"),
        utilisation_mean_pct=_mean(working, "utilisation_mean_pct"),
        sm_clock_mean_mhz=_mean(working, "sm_clock_mean_mhz"),
        memory_clock_mean_mhz=_mean(working, "memory_clock_mean_mhz"),
        power_peak_w=_max(figures, "power_peak_w"),
    )


def _worked(one: GpuFigures) -> bool:
    return one.utilisation_mean_pct is None or one.utilisation_mean_pct >= WORKING_PCT


def _energy_source(figures: Sequence[GpuFigures]) -> EnergySource:
    return "counter" if all(one.energy_from == "counter" for one in figures) else "power"


def _per(quantity: float | None, divisor: float | None) -> float | None:
    return quantity / divisor if quantity is not None and divisor else None


def _all(figures: Sequence[GpuFigures], name: str) -> list[float] | None:
    """The values of all GPUs; None where there is no GPU, or one of them does not tell."""
    values = [value for one in figures if (value := getattr(one, name)) is not None]
    return values if values and len(values) == len(figures) else None


def _sum(figures: Sequence[GpuFigures], name: str) -> float | None:
    return None if (values := _all(figures, name)) is None else sum(values)


def _max(figures: Sequence[GpuFigures], name: str) -> float | None:
    return None if (values := _all(figures, name)) is None else max(values)


def _mean(figures: Sequence[GpuFigures], name: str) -> float | None:
    return None if (values := _all(figures, name)) is None else sum(values) / len(values)


def _notes(one: GpuFigures, samples: Sequence[GpuSample], span: Span) -> list[str]:
    if one.readings < 2:
        count = "one reading" if one.readings else "no reading"
        return [f"{label_of(one.gpu)}: {count} in {span.seconds:.3g} s; its figures are missing"]
    gap_s = longest_gap_s([sample.stamp_ns for sample in samples], span)
    return (
        [f"{label_of(one.gpu)}: no reading for {gap_s:.3g} s of {span.seconds:.3g} s"]
        if gap_s > _GAP_S
        else []
    )


def label_of(gpu: GpuIdentity) -> str:
    """Return what a GPU is called in sentences: ``GPU 1``, ``GPU 0, slice 1g.10gb (2)``."""
    return (
        f"GPU {gpu.card}" if gpu.mig_slice is None else f"GPU {gpu.card}, slice {gpu.mig_slice} ({gpu.index})"
    )


def _row(one: GpuFigures) -> dict[str, Any]:
    row = asdict(one)
    processes, moved = row.pop("processes"), row.pop("came_or_went")
    identity: Mapping[str, Any] = row.pop("gpu")
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
    return {
        **identity,
        **told,
        "process_count": None if processes is None else len(processes),
        "processes_came_or_went": None if moved is None else len(moved),
    }
