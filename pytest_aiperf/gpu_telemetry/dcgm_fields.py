"""Which figure of DCGM is which field of a sample, and in what unit: the table that a page is read by.

Names and units are those of ``dcgm_fields.h``; newer releases spell some of them anew, and an exporter prints the
spelling that its list of counters has. A figure beyond its limit is none: DCGM has values that say "not supported"
and the like, and they look like huge numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MIB: Final = 1024 * 1024
_INT32_BLANK: Final = 0x7FFFFFF0
"""DCGM's first value that says that there is none, of the counters and sizes that are not wider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DcgmField:
    """A figure of DCGM."""

    field: str
    """Name of the figure in this package."""
    factor: float = 1
    """Makes the figure's unit that of the field."""
    least: float = 0
    below: float
    """What is as large as this, in DCGM's unit, is no reading."""


_POWER: Final = DcgmField(field="power_w", below=100_000)
_LIMIT: Final = DcgmField(field="power_limit_w", below=100_000)
_ASKED_LIMIT: Final = DcgmField(field="asked_power_limit_w", below=100_000)
_TEMPERATURE: Final = DcgmField(field="temperature_c", least=-100, below=1000)
_UTILISATION: Final = DcgmField(field="utilisation_pct", below=100.1)
_REASONS: Final = DcgmField(field="reasons_mask", below=2**53)
_XID: Final = DcgmField(field="last_xid", below=_INT32_BLANK)

DCGM_FIELDS: Final = {
    "DCGM_FI_DEV_POWER_USAGE": _POWER,
    "DCGM_FI_DEV_BOARD_POWER_WATTS": _POWER,
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": DcgmField(field="energy_mj", below=2**53),
    "DCGM_FI_DEV_GPU_UTIL": _UTILISATION,
    "DCGM_FI_DEV_GPU_UTIL_RATIO": _UTILISATION,  # a per cent too: what NVML's call gives, unchanged
    "DCGM_FI_DEV_MEM_COPY_UTIL": DcgmField(field="memory_utilisation_pct", below=100.1),
    "DCGM_FI_DEV_FB_USED": DcgmField(field="memory_used_bytes", factor=_MIB, below=_INT32_BLANK),
    "DCGM_FI_DEV_FB_FREE": DcgmField(field="memory_free_bytes", factor=_MIB, below=_INT32_BLANK),
    "DCGM_FI_DEV_FB_RESERVED": DcgmField(field="memory_reserved_bytes", factor=_MIB, below=_INT32_BLANK),
    "DCGM_FI_DEV_FB_TOTAL": DcgmField(field="memory_bytes", factor=_MIB, below=_INT32_BLANK),
    "DCGM_FI_DEV_SM_CLOCK": DcgmField(field="sm_clock_mhz", below=100_000),
    "DCGM_FI_DEV_MEM_CLOCK": DcgmField(field="memory_clock_mhz", below=100_000),
    "DCGM_FI_DEV_GPU_TEMP": _TEMPERATURE,
    "DCGM_FI_DEV_GPU_TEMP_CELSIUS": _TEMPERATURE,
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": _REASONS,
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": _REASONS,
    "DCGM_FI_DEV_XID_ERRORS": _XID,
    "DCGM_FI_DEV_XID_ERROR": _XID,
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": DcgmField(field="ecc_corrected", below=_INT32_BLANK),
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": DcgmField(field="ecc_uncorrected", below=_INT32_BLANK),
    "DCGM_FI_PROF_PCIE_TX_BYTES": DcgmField(field="pcie_tx_bytes_per_s", below=2**53),
    "DCGM_FI_PROF_PCIE_RX_BYTES": DcgmField(field="pcie_rx_bytes_per_s", below=2**53),
    "DCGM_FI_PROF_PCIE_TX_BYTES_TOTAL": DcgmField(field="pcie_tx_bytes", below=2**53),
    "DCGM_FI_PROF_PCIE_RX_BYTES_TOTAL": DcgmField(field="pcie_rx_bytes", below=2**53),
    "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": _LIMIT,
    "DCGM_FI_DEV_POWER_MGMT_LIMIT": _ASKED_LIMIT,
    "DCGM_FI_DEV_BOARD_POWER_LIMIT_ENFORCED_WATTS": _LIMIT,
    "DCGM_FI_DEV_BOARD_POWER_LIMIT_REQUESTED_WATTS": _ASKED_LIMIT,
}

OF_THE_CARD: Final = frozenset(
    {"sm_clock_mhz", "memory_clock_mhz", "temperature_c", "reasons_mask", "last_xid"}
    | {"power_limit_w", "asked_power_limit_w", "ecc_corrected", "ecc_uncorrected"}
)
"""Fields that hold for each slice of a divided card."""
