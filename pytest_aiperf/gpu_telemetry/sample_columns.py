"""PYTEST_DONT_REWRITE. Samples as columns of numbers, and back: how they travel, and how they are kept.

What is no number (which reasons there are, who holds memory) hardly ever changes and stands beside the columns, for
the rows at which it does change. A reading that is absent is the smallest integer, or NaN, in its column; nowhere else.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_aiperf.common.finite import is_finite_value
from pytest_aiperf.gpu_telemetry.collector import GpuProcess, GpuSample

INTEGERS: Final = (
    "index",
    "stamp_ns",
    "energy_mj",
    "memory_used_bytes",
    "sm_clock_mhz",
    "memory_clock_mhz",
    "temperature_c",
    "pcie_tx_bytes",
    "pcie_rx_bytes",
    "ecc_corrected",
    "ecc_uncorrected",
)
FLOATS: Final = (
    "power_w",
    "utilisation_pct",
    "memory_utilisation_pct",
    "pcie_tx_bytes_per_s",
    "pcie_rx_bytes_per_s",
)
COLUMNS: Final = (*INTEGERS, "reasons", *FLOATS)
"""In the order of the buffers. ``reasons`` is a bit mask of the places in `SampleColumns.reasons`."""
_ABSENT: Final = -(2**63)
_MOST_REASONS: Final = 62
"""Kept of a vendor's names in one batch: one bit each."""
_NAME_LIMIT: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleColumns:
    """A batch of samples."""

    buffers: Sequence[Any]
    """One for each of `COLUMNS`, 64-bit numbers of this machine's byte order."""
    reasons: Sequence[str]
    """Names of throttle reasons."""
    xids: Mapping[int, Sequence[int] | None]
    """By row: the errors that it told; a row that is not here told none, one with None cannot tell."""
    processes: Mapping[int, Sequence[tuple[int, int | None]] | None]
    """By row: who is on the GPU from there on. What holds for a GPU before its first row here is nothing known."""


def columns_of(samples: Sequence[GpuSample]) -> SampleColumns:
    """Put samples into columns. A value that is no finite number, or no 64-bit one, becomes an absent one."""
    names: dict[str, int] = {}
    return SampleColumns(
        buffers=[
            *(array("q", [_integer(getattr(sample, name)) for sample in samples]) for name in INTEGERS),
            array("q", [_mask(sample.throttle_reasons, names) for sample in samples]),
            *(array("d", [_float(getattr(sample, name)) for sample in samples]) for name in FLOATS),
        ],
        reasons=list(names),
        xids={
            row: None if sample.xid_errors is None else [int(number) for number in sample.xid_errors]
            for row, sample in enumerate(samples)
            if sample.xid_errors is None or sample.xid_errors
        },
        processes=dict(_changes(samples)),
    )


def samples_of(columns: SampleColumns) -> list[GpuSample]:
    """Return the samples that the columns were made of.

    Raises:
        ValueError: columns are missing, or differ in length.
    """
    if len(columns.buffers) != len(COLUMNS):
        raise ValueError(f"GPU samples of {len(columns.buffers)} columns; they have {len(COLUMNS)}")
    views = [
        memoryview(buffer).cast("B").cast("d" if name in FLOATS else "q") if len(buffer) else ()
        for name, buffer in zip(COLUMNS, columns.buffers, strict=True)
    ]
    if len({len(view) for view in views}) > 1:
        raise ValueError(f"GPU samples with columns of {sorted({len(view) for view in views})} rows")
    on_gpu: dict[int, tuple[GpuProcess, ...] | None] = {}
    samples = []
    for row, values in enumerate(zip(*views, strict=True)):
        told = {name: value for name, value in zip(COLUMNS, values, strict=True) if _is_there(value)}
        mask = told.pop("reasons", None)
        if row in columns.processes:
            on_gpu[told["index"]] = _processes(columns.processes[row])
        xids = columns.xids.get(row, ())
        samples.append(
            GpuSample(
                **told,
                throttle_reasons=None if mask is None else _names(mask, columns.reasons),
                xid_errors=None if xids is None else tuple(xids),
                processes=on_gpu.get(told["index"]),
            )
        )
    return samples


def _integer(value: object) -> int:
    if not is_finite_value(value):
        return _ABSENT
    whole = int(value)  # type: ignore[call-overload]  # a number, as was just seen
    return whole if -(2**63) < whole < 2**63 else _ABSENT


def _float(value: object) -> float:
    return float(value) if is_finite_value(value) else float("nan")  # type: ignore[arg-type]


def _is_there(value: float) -> bool:
    return value == value and value != _ABSENT


def _mask(reasons: Sequence[str] | None, names: dict[str, int]) -> int:
    if reasons is None:
        return _ABSENT
    mask = 0
    for name in reasons:
        shown = str(name)[:_NAME_LIMIT]
        if shown in names or len(names) < _MOST_REASONS:
            mask |= 1 << names.setdefault(shown, len(names))
    return mask


def _names(mask: int, reasons: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for place, name in enumerate(reasons) if mask >> place & 1)


def _changes(samples: Sequence[GpuSample]) -> Iterator[tuple[int, list[tuple[int, int | None]] | None]]:
    before: dict[int, Sequence[GpuProcess] | None] = {}
    for row, sample in enumerate(samples):
        if sample.processes != before.get(sample.index):
            before[sample.index] = sample.processes
            listed = sample.processes
            yield row, None if listed is None else [(one.pid, one.memory_bytes) for one in listed]


def _processes(listed: Sequence[tuple[int, int | None]] | None) -> tuple[GpuProcess, ...] | None:
    return None if listed is None else tuple(GpuProcess(pid=pid, memory_bytes=held) for pid, held in listed)
