"""PYTEST_DONT_REWRITE. A recorded schedule, sent again: timestamps to due times."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Int64


class Replay(NamedTuple):
    """The part of a trace that is sent, in the order of its timestamps."""

    rows: npt.NDArray[np.intp]
    """``(n,)`` indices into the trace."""
    due_ns: Int64
    """``(n,)``: `LoadPlan.due_ns`."""


def replay_schedule(
    timestamps_ms: Sequence[float] | npt.NDArray[np.float64],
    *,
    start_offset_ms: float | None = None,
    end_offset_ms: float | None = None,
    auto_offset: bool = False,
    speedup: float = 1.0,
) -> Replay:
    """Return which rows of a trace are sent, and when.

    The run starts at the first timestamp that is left with `auto_offset`, else at the start offset, else at 0.

    Args:
        timestamps_ms: one for each row of the trace, in any order; equal ones keep the order of the trace.
        start_offset_ms: what lies before it is left out.
        end_offset_ms: what lies after it is left out.
        auto_offset: do not wait for the first request.
        speedup: 2 halves every gap.

    Raises:
        ConfigurationError: nothing is left, a timestamp lies before the start or is not finite, or the speed-up is
            not positive.
    """
    if not (isfinite(speedup) and speedup > 0):
        raise ConfigurationError(f"the speed-up of the schedule must be greater than 0, got {speedup}")
    stamps = np.asarray(timestamps_ms, dtype=np.float64)
    if not np.isfinite(stamps).all():
        raise ConfigurationError(
            f"timestamp {int(np.argmin(np.isfinite(stamps)))} of the schedule is not finite"
        )
    low = -np.inf if start_offset_ms is None else start_offset_ms
    high = np.inf if end_offset_ms is None else end_offset_ms
    rows = np.argsort(stamps, kind="stable")
    rows = rows[(stamps[rows] >= low) & (stamps[rows] <= high)]
    if not len(rows):
        raise ConfigurationError(
            f"the schedule has no request between {low:g} and {high:g} ms; its {len(stamps)} timestamps lie elsewhere"
        )
    kept = stamps[rows]
    origin = kept[0] if auto_offset else start_offset_ms or 0.0
    if kept[0] < origin:
        raise ConfigurationError(
            f"the first timestamp of the schedule, {kept[0]:g} ms, is negative; begin with it (auto offset)"
        )
    return Replay(rows, np.rint((kept - origin) / speedup * 1e6).astype(np.int64))
