"""XID errors: the numbers under which NVIDIA's driver reports a fault of a card or of a program on it."""

from __future__ import annotations

from typing import Any, Final

_TIMEOUT: Final = 10  # NVML_ERROR_TIMEOUT: nothing has arrived
_WAIT_MS: Final = 1
"""Not 0: the header calls it the longest wait, yet in NVML's younger event calls 0 means for ever."""
_MOST: Final = 64
"""Events taken at a time, so that a card that reports without end cannot hold up the sample."""


class XidEvents:
    """Listens to one card. A driver or platform that has no events is not asked again."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._events: Any = None
        try:
            self._events = nvml.nvmlEventSetCreate()
            nvml.nvmlDeviceRegisterEvents(handle, nvml.nvmlEventTypeXidCriticalError, self._events)
        except nvml.NVMLError:
            self.close()

    @property
    def listening(self) -> bool:
        """Whether events would be heard."""
        return self._events is not None

    def read(self) -> tuple[int, ...] | None:
        """Return the numbers that arrived since the last call, oldest first; None where nobody listens."""
        if self._events is None:
            return None
        found: list[int] = []
        try:
            while len(found) < _MOST:
                found.append(int(self._nvml.nvmlEventSetWait_v2(self._events, _WAIT_MS).eventData))
        except self._nvml.NVMLError as error:
            if error.value != _TIMEOUT:
                self.close()
        return tuple(found)

    def close(self) -> None:
        """Stop listening."""
        events, self._events = self._events, None
        if events is None:
            return
        try:
            self._nvml.nvmlEventSetFree(events)
        except self._nvml.NVMLError:
            pass
