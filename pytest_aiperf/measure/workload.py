"""The fixed workload of a measurement: every run sends the same bytes in the same order at the same times.

What differs between two runs is then the server and not the questions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.conversation import Expected
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.bodies import Bodies, format_bodies
from pytest_aiperf.measure.schedule import Schedule, build_schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Request bodies of one run, when they are sent, and how they divide into warm-up, measured part and drain."""

    bodies: Sequence[bytes]
    """``(schedule.count,)``."""
    schedule: Schedule
    asked_osl: int | None
    """Output tokens that each request asks for; None where they differ, or nobody knows."""
    expected: Sequence[Expected | None] | None
    """``(schedule.count,)``: what the answers should be; None where nothing is expected of any."""
    digest: str
    """SHA-256 over all bodies, lengths included, over what is expected, and over the columns of the schedule."""

    @property
    def warm_up(self) -> int:
        """Requests dropped at the start of each run: completions in the closed loop, the first ones in the open one."""
        return self.schedule.warm_up

    @property
    def measured(self) -> int | None:
        """Requests that are measured; None: as many as the run's duration holds."""
        return self.schedule.measured

    @property
    def open_loop(self) -> bool:
        """Requests have due times."""
        return self.schedule.due_ns is not None


def build_workload(config: AIPerfConfig, *, model: str, schedule: Schedule | None = None) -> Workload:
    """Return the workload that this configuration describes.

    Raises:
        ConfigurationError: a data file cannot be used, or the endpoint does not take what is in it.
    """
    schedule = schedule or build_schedule(config)
    formatted = format_bodies(config, schedule.requests, model=model)
    return Workload(
        bodies=formatted.bodies,
        schedule=schedule,
        asked_osl=formatted.asked_osl,
        expected=formatted.expected,
        digest=_digest(formatted, schedule),
    )


def build_bodies(
    config: AIPerfConfig, schedule: Schedule, *, model: str, beginning: str = ""
) -> Sequence[bytes]:
    """Return ``(schedule.count,)`` request bodies; every prompt begins with `beginning`, as part of its first word."""
    return format_bodies(config, schedule.requests, model=model, beginning=beginning).bodies


def _digest(formatted: Bodies, schedule: Schedule) -> str:
    digest = hashlib.sha256()
    for body in formatted.bodies:
        digest.update(len(body).to_bytes(8, "big"))
        digest.update(body)
    linked = schedule.conversations
    columns: dict[str, npt.NDArray[Any] | None] = {
        "due_ns": schedule.due_ns,
        "cancel_after_ns": schedule.cancel_after_ns,
        "conversation": linked.conversation if linked else None,
        "delay_ns": linked.delay_ns if linked else None,
    }
    for name, column in columns.items():
        if column is not None:
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(column, dtype=np.int64).tobytes())
    for number, expected in enumerate(formatted.expected or ()):
        if expected is not None:
            digest.update(f"expected {number} {expected.grader} {expected.answer!r}".encode())
    return digest.hexdigest()
