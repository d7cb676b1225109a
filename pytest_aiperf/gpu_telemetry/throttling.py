"""NVML's bit mask of what holds the clocks back, in words (``nvml.h``, group "Clocks Event Reasons")."""

from __future__ import annotations

from typing import Final

_NAMES: Final = (
    "gpu_idle",
    "applications_clocks_setting",
    "sw_power_cap",
    "hw_slowdown",
    "sync_boost",
    "sw_thermal_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "display_clock_setting",
    "board_limit",
    "reliability",
)


def reasons(mask: int) -> tuple[str, ...]:
    """Return the names of the bits that are set, lowest first; ``bit_11`` for one that has no name yet."""
    return tuple(
        _NAMES[bit] if bit < len(_NAMES) else f"bit_{bit}"
        for bit in range(mask.bit_length())
        if mask >> bit & 1
    )
