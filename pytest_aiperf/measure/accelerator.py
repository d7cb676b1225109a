"""The accelerators that a measurement belongs to: those of this machine, when the server under test is on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from pytest_aiperf.baseline.schema import UNDIVIDED
from pytest_aiperf.gpu_telemetry.identity import Accelerator

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def accelerator_behind(urls: Sequence[str], ask: Callable[[], Accelerator | None]) -> Accelerator | None:
    """Return what `ask` finds on this machine; None, unasked, where a server is elsewhere or an embedded one.

    Another machine's latency says nothing of the cards of this one.
    """
    parts = [urlsplit(url) for url in urls]
    if any(part.scheme == "mock" or part.hostname not in _LOOPBACK for part in parts):
        return None
    return ask()


def accelerator_software(accelerator: Accelerator | None) -> Mapping[str, str | None]:
    """Return what runs on it, which forbids no comparison."""
    return {} if accelerator is None else {"driver": accelerator.driver, "cuda": accelerator.cuda}


def accelerator_key(accelerator: Accelerator | None) -> Mapping[str, object]:
    """Return its part of a baseline's hard key."""
    if accelerator is None:
        return {}
    return {
        "accelerator": accelerator.name,
        "accelerator_count": accelerator.count,
        "accelerator_memory_bytes": accelerator.memory_bytes,
        "accelerator_mig": accelerator.mig or UNDIVIDED,
        "power_limit_w": accelerator.power_limit_w,
    }
