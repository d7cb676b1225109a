"""What a collector of GPU telemetry is to the rest: which GPUs there are, and what each of them does now.

A collector blocks: it calls a driver or an exporter, and a driver can hang. It therefore lives in a process
of its own, and nothing here is asynchronous. It knows nothing of runs or requests: it stamps what it reads
on the run clock, and whoever holds the records lays the two side by side.

Vendors differ in what their cards tell. A field that a card does not tell is None, for good; it is never 0,
because 0 W and 0 % are readings. The names in `throttle_reasons` are the vendor's, in snake_case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuIdentity:
    """A GPU, or a slice of one, as a baseline needs to know it. Nothing in it names a machine."""

    index: int
    """Place in `GpuCollector.inventory()`; samples refer to it."""
    card: int
    """The driver's own number of the card, as ``nvidia-smi -i`` takes it. Slices of one card share it."""
    name: str
    """Marketing name, form factor and memory included where the vendor does so: ``NVIDIA H100 80GB HBM3``."""
    uuid_hash: str | None
    """First 16 hexadecimal digits of the SHA-256 of the driver's UUID, to tell two cards apart."""
    part_number: str | None = None
    """Board part number: which board this is, not which copy of it."""
    memory_bytes: int | None = None
    """Memory of this GPU or slice."""
    power_limit_w: float | None = None
    """The limit in force; for a slice that of the whole card."""
    driver: str | None = None
    cuda: str | None = None
    """Newest CUDA version that the driver serves, ``13.0``; None for other vendors."""
    mig_mode: bool | None = None
    """The card is divided; None where the card cannot be."""
    mig_slice: str | None = None
    """Which slice of a divided card this is: ``1g.10gb``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that holds memory on a GPU. In a container its number may be one of another namespace."""

    pid: int
    memory_bytes: int | None
    """None where the driver does not say how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """What one GPU told at one moment. Counters are as the driver counts them, from a start of its own."""

    index: int
    """Which GPU of `GpuCollector.inventory()`."""
    stamp_ns: int
    """CLOCK_REALTIME ns, taken before the first field was asked for."""
    power_w: float | None = None
    energy_mj: int | None = None
    """Counter, millijoules."""
    utilisation_pct: float | None = None
    """Share of the driver's last sample period in which at least one kernel ran, 0 to 100."""
    memory_utilisation_pct: float | None = None
    """Share of the same period in which the memory was being read or written, 0 to 100."""
    memory_used_bytes: int | None = None
    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    temperature_c: int | None = None
    throttle_reasons: Sequence[str] | None = None
    """Why the clocks are not higher; empty when nothing holds them back."""
    pcie_tx_bytes: int | None = None
    """Counter, bytes sent by the card."""
    pcie_rx_bytes: int | None = None
    """Counter, bytes received by the card."""
    pcie_tx_bytes_per_s: float | None = None
    """What the card sends now, for a source that has rates and no counter."""
    pcie_rx_bytes_per_s: float | None = None
    """What the card receives now, for the same."""
    ecc_corrected: int | None = None
    """Counter, memory errors that were corrected since the driver was loaded."""
    ecc_uncorrected: int | None = None
    """Counter, memory errors that could not be corrected since the driver was loaded."""
    xid_errors: Sequence[int] | None = None
    """Driver error numbers that arrived since the last sample; empty when none did."""
    processes: Sequence[GpuProcess] | None = None
    """Whoever holds memory on the GPU, the server under test included, by process number."""


SHARED_BY_SLICES: Final = frozenset(
    {"power_w", "energy_mj", "utilisation_pct", "memory_utilisation_pct", "pcie_tx_bytes", "pcie_rx_bytes"}
    | {"pcie_tx_bytes_per_s", "pcie_rx_bytes_per_s"}
)
"""Fields that a card has and its slices do not: nobody divides them, and giving each the whole counts it twice."""


class GpuCollector(Protocol):
    """Reads the GPUs of one source. Registered under ``gpu_telemetry_collector`` in the plugin registry.

    Only `validate_environment` raises. Afterwards whatever fails becomes a note and an absent value:
    telemetry explains a measurement and must never be the reason for which there is none.
    """

    is_local: ClassVar[bool]
    """It reads the GPUs of this machine; by default it runs only when the endpoint is on this machine too."""
    interval_s: ClassVar[float]
    """From one reading to the next, unless the user says otherwise."""

    @classmethod
    def for_sources(cls, sources: Sequence[str]) -> Self:
        """Make one that reads these exporters' URLs; a local collector needs none, and asks nothing yet."""

    @classmethod
    def validate_environment(cls) -> None:
        """Check, before any load, what the collector needs on this machine; do nothing if that is nothing.

        Raises:
            ConfigurationError: something is missing; the message says what to install.
        """

    @property
    def notes(self) -> Sequence[str]:
        """What went wrong so far, a sentence each, in order."""

    def inventory(self) -> Sequence[GpuIdentity]:
        """Return the GPUs that this collector reads; empty, with a note that says why, where there are none.

        It may grow while samples are taken, when an exporter answers that did not before; it never shrinks.
        """

    def sample(self, *, everything: bool = False) -> Sequence[GpuSample]:
        """Read every GPU once. A GPU that is gone, or has no new reading, is left out.

        With `everything` also the fields are read that otherwise are held for a while.
        """

    def close(self) -> None:
        """Let go of the driver. May be called twice."""
