"""PYTEST_DONT_REWRITE. One NVIDIA GPU, or one MIG slice of it.

PCIe traffic comes from the byte counters (NVML fields 197 and 198, where the driver has them). The older
``nvmlDeviceGetPcieThroughput`` watches the bus for 20 ms per direction, which is 40 % of the time at 10 Hz.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_aiperf.gpu_telemetry.collector import GpuIdentity, GpuProcess, GpuSample
from pytest_aiperf.gpu_telemetry.nvml_calls import IDENTITY, SAMPLE, Field, Scope
from pytest_aiperf.gpu_telemetry.reading import Reading
from pytest_aiperf.gpu_telemetry.throttling import reasons
from pytest_aiperf.gpu_telemetry.uuid_hash import uuid_hash
from pytest_aiperf.gpu_telemetry.xid import XidEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_aiperf.gpu_telemetry.nvml_devices import Device

# NVML_FI_DEV_PCIE_COUNT_TX_BYTES and _RX_BYTES, by number: the oldest pynvml that we accept lacks the names
_PCIE_TX_BYTES: Final = 197
_PCIE_RX_BYTES: Final = 198
_UNSIGNED: Final = {1: "uiVal", 2: "ulVal", 3: "ullVal"}  # nvmlValueType_t -> member of nvmlValue_t
_SLOW_EVERY: Final = 10
"""Processes, ECC and XID errors are asked for in every tenth sample: they change slowly and cost the most."""


class NvmlGpu:
    """Reads one GPU. `identity` and `sample` may raise `CardGoneError`, and nothing else."""

    def __init__(self, nvml: Any, device: Device, *, index: int, note: Callable[[str], None]) -> None:
        """`index` is its place in the inventory; `note` takes what goes wrong, a sentence each."""
        self.index, self.card = index, device.card
        self._nvml = nvml
        self._device = device
        self._note = note
        self._fields = {field.name: self._reading(field) for field in SAMPLE}
        self._pcie = self._guarded("PCIe traffic", [] if device.part is not None else [self._pcie_bytes])
        self._xid = XidEvents(nvml, device.whole)
        self._turn = 0
        self._slow: Mapping[str, Any] = {}

    def identity(self) -> GpuIdentity:
        """Read what does not change while the driver is loaded."""
        told = {field.name: self._reading(field).read() for field in IDENTITY}
        memory, limit, mig, uuid = self._read("memory"), told["power limit"], told["MIG mode"], told["uuid"]
        return GpuIdentity(
            index=self.index,
            card=self.card,
            name=told["name"] or "NVIDIA GPU without a name",
            uuid_hash=uuid_hash(uuid),
            part_number=told["part number"] or None,
            memory_bytes=None if memory is None else int(memory.total),
            power_limit_w=None if limit is None else limit / 1000,
            driver=self._system("nvmlSystemGetDriverVersion"),
            cuda=_version(self._system("nvmlSystemGetCudaDriverVersion_v2")),
            mig_mode=None if mig is None else mig[0] == self._nvml.NVML_DEVICE_MIG_ENABLE,
            mig_slice=None if self._device.part is None else _slice_name(told["full name"]),
        )

    def sample(self, stamp_ns: int, *, everything: bool = False) -> GpuSample:
        """Read what changes, the slow fields now and then or with `everything`. `stamp_ns` is when the caller began."""
        power, rates, memory, mask = map(self._read, ("power", "utilisation", "memory", "throttle reasons"))
        sent, received = self._pcie.read() or (None, None)
        return GpuSample(
            index=self.index,
            stamp_ns=stamp_ns,
            power_w=None if power is None else power / 1000,
            energy_mj=self._read("energy"),
            utilisation_pct=None if rates is None else float(rates.gpu),
            memory_utilisation_pct=None if rates is None else float(rates.memory),
            memory_used_bytes=None if memory is None else int(memory.used),
            sm_clock_mhz=self._read("SM clock"),
            memory_clock_mhz=self._read("memory clock"),
            temperature_c=self._read("temperature"),
            throttle_reasons=None if mask is None else reasons(mask),
            pcie_tx_bytes=sent,
            pcie_rx_bytes=received,
            **self._slow_fields(everything=everything),
        )

    def last_words(self) -> Sequence[int]:
        """Return the XID errors that have arrived and that no sample told."""
        return self._xid.read() or ()

    def close(self) -> None:
        """Stop listening to events."""
        self._xid.close()

    def _slow_fields(self, *, everything: bool) -> dict[str, Any]:
        """Processes and ECC counts, at most `_SLOW_EVERY` samples old, and XID errors, each of them once."""
        turn = 0 if everything else self._turn
        self._turn = (turn + 1) % _SLOW_EVERY
        if turn:
            return {**self._slow, "xid_errors": () if self._xid.listening else None}
        self._slow = {
            "ecc_corrected": self._read("corrected ECC"),
            "ecc_uncorrected": self._read("uncorrected ECC"),
            "processes": self._processes(),
        }
        return {**self._slow, "xid_errors": self._xid.read()}

    def _processes(self) -> Sequence[GpuProcess] | None:
        compute, graphics = self._read("compute processes"), self._read("graphics processes")
        if compute is None and graphics is None:
            return None
        held = {process.pid: process.usedGpuMemory for process in (*(graphics or ()), *(compute or ()))}
        return tuple(GpuProcess(pid=pid, memory_bytes=used) for pid, used in sorted(held.items()))

    def _pcie_bytes(self) -> tuple[int, int]:
        sent, received = self._nvml.nvmlDeviceGetFieldValues(
            self._device.whole, [_PCIE_TX_BYTES, _PCIE_RX_BYTES]
        )
        return self._unsigned(sent), self._unsigned(received)

    def _unsigned(self, value: Any) -> int:
        """Unpack a field value: it has an error code of its own, and a union whose member its type names."""
        if value.nvmlReturn:
            raise self._nvml.NVMLError(value.nvmlReturn)
        if value.valueType not in _UNSIGNED:
            raise self._nvml.NVMLError(self._nvml.NVML_ERROR_NOT_SUPPORTED)
        return int(getattr(value.value, _UNSIGNED[value.valueType]))

    def _read(self, name: str) -> Any:
        return self._fields[name].read()

    def _system(self, call: str) -> Any:
        return self._guarded(call, [getattr(self._nvml, call)]).read()

    def _reading(self, field: Field) -> Reading[Any]:
        whole, part = self._device.whole, self._device.part
        if field.scope is Scope.UNDIVIDED and part is not None:
            return self._guarded(field.name, [])
        handle = part if field.scope is Scope.OWN and part is not None else whole
        ways = [
            partial(function, handle, *arguments)
            for call, arguments in field.calls
            if (function := getattr(self._nvml, call, None))
            is not None  # an older pynvml lacks the newest calls
        ]
        return self._guarded(field.name, ways)

    def _guarded(self, what: str, ways: Sequence[Callable[[], Any]]) -> Reading[Any]:
        failures = (self._nvml.NVMLError, UnicodeDecodeError)  # a broken board hands out text that is none
        return Reading(f"GPU {self.card}: {what}", ways, failures=failures, note=self._note)


def _version(cuda: int | None) -> str | None:
    return f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None


def _slice_name(full: str | None) -> str:
    """``1g.10gb`` from the slice's full name, ``NVIDIA H100 80GB HBM3 MIG 1g.10gb``."""
    return (full or "").partition(" MIG ")[2] or "unnamed"
