"""PYTEST_DONT_REWRITE. Which requests meet an error, a fault or a stall: by seed and request number, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_aiperf.mock_server.options import MockOptions

_MASK64: Final = (1 << 64) - 1
_ERROR, _STALL, _FAULT = 1, 2, 3


class Mishaps:
    """The mishaps of one set of options."""

    def __init__(self, options: MockOptions) -> None:
        self._seed = options.seed
        self._error_pct = options.error_pct
        self._stall_pct = options.stall_pct
        self._stall_ns = round(options.stall_ms * 1e6)
        self._fault = (
            "" if options.fault == "refused" else options.fault
        )  # met by connections, not by requests
        self._fault_pct = options.fault_pct
        self._none = not (self._error_pct or self._fault)

    def fault(self, number: int) -> str:
        """Return the fault that this request meets, or an empty string."""
        if self._none:
            return ""
        if self._error_pct and self._draw(number, _ERROR) < self._error_pct:
            return "http_500"
        if self._fault and self._draw(number, _FAULT) < self._fault_pct:
            return self._fault
        return ""

    def stall_ns(self, number: int) -> int:
        """Return by how much all tokens of this request are delayed."""
        return self._stall_ns if self._stall_pct and self._draw(number, _STALL) < self._stall_pct else 0

    def _draw(self, number: int, purpose: int) -> float:
        """Return a uniform number in [0, 100): the finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
        z = (
            self._seed * 0x9E3779B97F4A7C15 + number * 0xD1B54A32D192ED03 + purpose * 0x8CB92BA72F3D8DD7
        ) & _MASK64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
        return (z ^ (z >> 31)) / 2**64 * 100
