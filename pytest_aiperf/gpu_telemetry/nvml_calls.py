"""Which NVML call tells which field, and of what: the table that `NvmlGpu` reads by.

A MIG slice has memory and processes of its own. Clocks, temperature, throttle reasons, ECC errors and the
power limit hold for the whole card and so for each of its slices. Power, energy, utilisation and PCIe
traffic are shared between slices; NVML does not divide them, and giving each slice the card's would count
them several times.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


class Scope(enum.Enum):
    """Whose field it is."""

    OWN = enum.auto()
    """Asked of the slice where there is one, else of the card."""
    CARD = enum.auto()
    """Asked of the card, also for a slice."""
    UNDIVIDED = enum.auto()
    """Asked of the card; not asked at all for a slice."""


Call = tuple[str, tuple[Any, ...]]
"""A function of pynvml and its arguments after the handle. Constants are ``nvml.h``'s, which never change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field and the calls that tell it, best first."""

    name: str
    scope: Scope
    calls: Sequence[Call]


_SM, _MEMORY = 1, 2  # NVML_CLOCK_SM, NVML_CLOCK_MEM
_ON_DIE = 0  # NVML_TEMPERATURE_GPU
_CORRECTED, _UNCORRECTED, _SINCE_LOAD = 0, 1, 0  # nvmlMemoryErrorType_t, NVML_VOLATILE_ECC
_MEMORY_V2 = 0x02000028  # without the driver's own reserve, as nvidia-smi shows it

IDENTITY: Final = (
    Field(name="name", scope=Scope.CARD, calls=[("nvmlDeviceGetName", ())]),
    Field(name="full name", scope=Scope.OWN, calls=[("nvmlDeviceGetName", ())]),
    Field(name="uuid", scope=Scope.OWN, calls=[("nvmlDeviceGetUUID", ())]),
    Field(name="part number", scope=Scope.CARD, calls=[("nvmlDeviceGetBoardPartNumber", ())]),
    Field(name="MIG mode", scope=Scope.CARD, calls=[("nvmlDeviceGetMigMode", ())]),
    Field(
        name="power limit",
        scope=Scope.CARD,
        calls=[("nvmlDeviceGetEnforcedPowerLimit", ()), ("nvmlDeviceGetPowerManagementLimit", ())],
    ),
)

SAMPLE: Final = (
    Field(name="power", scope=Scope.UNDIVIDED, calls=[("nvmlDeviceGetPowerUsage", ())]),
    Field(name="energy", scope=Scope.UNDIVIDED, calls=[("nvmlDeviceGetTotalEnergyConsumption", ())]),
    Field(name="utilisation", scope=Scope.UNDIVIDED, calls=[("nvmlDeviceGetUtilizationRates", ())]),
    Field(
        name="memory",
        scope=Scope.OWN,
        calls=[("nvmlDeviceGetMemoryInfo", (_MEMORY_V2,)), ("nvmlDeviceGetMemoryInfo", ())],
    ),
    Field(name="SM clock", scope=Scope.CARD, calls=[("nvmlDeviceGetClockInfo", (_SM,))]),
    Field(name="memory clock", scope=Scope.CARD, calls=[("nvmlDeviceGetClockInfo", (_MEMORY,))]),
    Field(
        name="temperature",
        scope=Scope.CARD,
        calls=[("nvmlDeviceGetTemperatureV", (_ON_DIE,)), ("nvmlDeviceGetTemperature", (_ON_DIE,))],
    ),
    Field(
        name="throttle reasons",
        scope=Scope.CARD,
        calls=[
            ("nvmlDeviceGetCurrentClocksEventReasons", ()),
            ("nvmlDeviceGetCurrentClocksThrottleReasons", ()),
        ],
    ),
    Field(
        name="corrected ECC",
        scope=Scope.CARD,
        calls=[("nvmlDeviceGetTotalEccErrors", (_CORRECTED, _SINCE_LOAD))],
    ),
    Field(
        name="uncorrected ECC",
        scope=Scope.CARD,
        calls=[("nvmlDeviceGetTotalEccErrors", (_UNCORRECTED, _SINCE_LOAD))],
    ),
    Field(
        name="compute processes",
        scope=Scope.OWN,
        calls=[
            ("nvmlDeviceGetComputeRunningProcesses_v3", ()),
            ("nvmlDeviceGetComputeRunningProcesses_v2", ()),
        ],
    ),
    Field(
        name="graphics processes",
        scope=Scope.OWN,
        calls=[
            ("nvmlDeviceGetGraphicsRunningProcesses_v3", ()),
            ("nvmlDeviceGetGraphicsRunningProcesses_v2", ()),
        ],
    ),
)
