"""One field of one card, read through NVML so that no failure gets past it but the loss of the card.

NVML answers each call with a code. Three kinds matter here: the card will never tell this (remembered, so
that it is not asked ten times a second for nothing), the card is gone, and everything else, which may be
better next time but is given up after a while: a driver that stumbles must not be asked for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

_NEVER: Final = {
    2,  # NVML_ERROR_INVALID_ARGUMENT: this sensor or counter does not exist on the part
    3,  # NVML_ERROR_NOT_SUPPORTED
    4,  # NVML_ERROR_NO_PERMISSION
    6,  # NVML_ERROR_NOT_FOUND
    13,  # NVML_ERROR_FUNCTION_NOT_FOUND: a driver older than the call
    25,  # NVML_ERROR_ARGUMENT_VERSION_MISMATCH
    26,  # NVML_ERROR_DEPRECATED
}
_GONE: Final = {
    1,  # NVML_ERROR_UNINITIALIZED
    9,  # NVML_ERROR_DRIVER_NOT_LOADED
    15,  # NVML_ERROR_GPU_IS_LOST: fallen off the bus
    16,  # NVML_ERROR_RESET_REQUIRED
    28,  # NVML_ERROR_GPU_NOT_FOUND
}
_PATIENCE: Final = 10
"""Unexplained failures in a row before a field is given up: one second at the default rate."""


class CardGoneError(Exception):
    """The card does not answer any more. Never leaves this package."""


class Reading(Generic[T]):
    """A field and the ways to read it, best first: newer calls, then those that older drivers know."""

    def __init__(
        self,
        what: str,
        ways: Sequence[Callable[[], T]],
        *,
        failures: tuple[type[Exception], ...],
        note: Callable[[str], None],
    ) -> None:
        """`failures` is what the ways may raise; `note` takes a sentence when the field is given up."""
        self._what = what
        self._ways = list(ways)
        self._failures = failures
        self._note = note
        self._misses = 0

    def read(self) -> T | None:
        """Return the field, or None if it could not be read now, or never can.

        Raises:
            CardGoneError: the card or its driver is gone.
        """
        while self._ways:
            try:
                value = self._ways[0]()
            except self._failures as error:
                code = getattr(error, "value", None)
                if code in _GONE:
                    raise CardGoneError(str(error)) from error
                if code not in _NEVER:
                    self._miss(error)
                    return None
                del self._ways[0]
            else:
                self._misses = 0
                return value
        return None

    def _miss(self, error: Exception) -> None:
        self._misses += 1
        if self._misses == _PATIENCE:
            self._ways.clear()
            self._note(f"{self._what}: {error}, {_PATIENCE} times in a row; it is not read any more")
