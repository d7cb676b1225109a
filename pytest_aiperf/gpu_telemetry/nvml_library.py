"""NVIDIA's management library: is it here, does it start, and if not, what is to be done about it."""

from __future__ import annotations

import sys
from typing import Any, Final

from pytest_aiperf.common.errors import ConfigurationError

_REMEDIES: Final = {
    4: "the driver refuses this user: check the permissions of /dev/nvidiactl and /dev/nvidia*",
    9: "the kernel driver is not loaded: load it (modprobe nvidia), or reboot after a driver update",
    12: "there is no libnvidia-ml.so.1: install the NVIDIA driver; a container needs the NVIDIA container"
    " toolkit and the capability 'utility' (NVIDIA_DRIVER_CAPABILITIES=compute,utility)",
    18: "library and kernel driver differ in version: reboot, or restart the container",
}


def library_is_here() -> bool:
    """Tell in under a millisecond or two whether there is a driver library that is worth starting.

    It asks the dynamic loader what pynvml would ask, and nothing of the driver.
    """
    if sys.platform == "win32":
        return True  # pynvml looks in two places there; let it
    import ctypes

    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def start() -> Any:
    """Import pynvml, start NVML and return the module. Each call wants one `stop`.

    Raises:
        ConfigurationError: no pynvml, no driver, or one that does not answer; the message says what to do.
    """
    try:
        import pynvml
    except ImportError as error:
        raise ConfigurationError(f"nvml: cannot import pynvml ({error}): pip install nvidia-ml-py") from error
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        remedy = _REMEDIES.get(error.value, "see whether nvidia-smi works on this machine")
        raise ConfigurationError(f"nvml: {error}: {remedy}") from error
    return pynvml


def stop(nvml: Any) -> None:
    """Undo one `start`."""
    try:
        nvml.nvmlShutdown()
    except nvml.NVMLError:
        pass  # the driver is gone already
