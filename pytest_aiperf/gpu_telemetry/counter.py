"""How far a driver's counter went."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def counter_delta(readings: Iterable[int | None]) -> int | None:
    """Return last minus first reading, absent ones passed over, in the counter's unit.

    None with fewer than two readings, and None when the counter ever goes back: a driver that was reloaded
    starts again at zero and a narrow counter wraps, and the two cannot be told apart. Adding up only the
    rises would give a figure that looks right and is too low.
    """
    first = last = None
    count = 0
    for reading in readings:
        if reading is None:
            continue
        if last is not None and reading < last:
            return None
        first = reading if first is None else first
        last = reading
        count += 1
    return None if first is None or last is None or count < 2 else last - first
