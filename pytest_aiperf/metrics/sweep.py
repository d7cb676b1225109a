"""From intervals to the level of their sum over time, by a sweep along the time.

A request adds an amount while it is in a phase: 1 to a concurrency, its tokens per second to a rate. The level is a
step function that changes only where a phase begins or ends. Statistics over it are weighted by time: a level's
share of the window, whatever the number of steps.
"""

from __future__ import annotations

import numpy as np

from pytest_aiperf.common.records import ABSENT, Int64
from pytest_aiperf.metrics.base_metric import Floats, Levels, Window


def time_at_levels(
    start: Int64, end: Int64, window: Window, *, amount: Floats | None = None
) -> Levels | None:
    """Return how long the sum of the amounts of all intervals stood at which level, within the window.

    Args:
        start: ``(n,)`` ns at which each interval begins, `ABSENT` for none.
        end: ``(n,)`` ns at which it ends.
        window: what lies outside it is cut off.
        amount: ``(n,)`` what each adds while it lasts; None: 1 each.

    Returns:
        The levels, busy where there was an interval; None where the window has no length.
    """
    if window.end_ns <= window.start_ns:
        return None
    begins = np.maximum(start, window.start_ns)
    ends = np.minimum(end, window.end_ns)
    inside = (start != ABSENT) & (end != ABSENT) & (ends > begins)
    begins, ends = begins[inside], ends[inside]
    if amount is None:
        counted, level, widths_ns = _counted(begins, ends, window)
    else:
        counted, level, widths_ns = _added(begins, ends, amount[inside], window)
    kept = widths_ns > 0
    return Levels(level=level[kept], seconds=widths_ns[kept] / 1e9, busy=counted[kept] > 0)


def _counted(begins: Int64, ends: Int64, window: Window) -> tuple[Int64, Floats, Floats]:
    """One entry for each number of intervals that there ever were at once.

    Whether a time is a beginning or an end is its lowest bit, so that one sort of plain numbers is enough.
    """
    marks = np.concatenate(((begins << 1) | 1, ends << 1, [window.start_ns << 1, window.end_ns << 1]))
    marks.sort()
    # The window's own two marks are ends of no interval: the first comes before all others, the last after them.
    steps = ((marks & 1) << 1) - 1
    steps[0] = 0
    count = np.cumsum(steps[:-1])
    widths_ns: Floats = np.bincount(count, weights=np.diff(marks >> 1)).astype(np.float64)
    held = np.arange(len(widths_ns))
    return held, held.astype(np.float64), widths_ns


def _added(begins: Int64, ends: Int64, amount: Floats, window: Window) -> tuple[Int64, Floats, Floats]:
    """One entry for each step."""
    times = np.concatenate((begins, ends))
    order = np.argsort(times)
    times = times[order]
    count = np.cumsum(np.where(order < len(begins), 1, -1))
    level = np.cumsum(np.concatenate((amount, -amount))[order])
    level[count == 0] = 0.0  # and not what rounding left over
    edges = np.concatenate(([window.start_ns], times, [window.end_ns]))
    return (
        np.concatenate(([0], count)),
        np.concatenate(([0.0], np.maximum(level, 0.0))),
        np.diff(edges).astype(np.float64),
    )
