"""Conversations with timestamps, as they are sent again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Int64
from pytest_aiperf.config.load_config import LoadConfig
from pytest_aiperf.engine.replay import replay_schedule
from pytest_aiperf.measure.columns import Requests, one_after_the_other
from pytest_aiperf.measure.stock import Drawn


def replayed_requests(load: LoadConfig, trees: Sequence[Drawn]) -> tuple[Requests, Int64]:
    """Return the requests between the offsets in the order of their times, and when each is due.

    A turn without a timestamp is due with what it follows.

    Raises:
        ConfigurationError: a conversation has no time at which it begins, or none is left.
    """
    everything = one_after_the_other(trees)
    replay = replay_schedule(
        [at_ms for tree in trees for at_ms in _times_ms(tree)],
        start_offset_ms=load.schedule_start_ms,
        end_offset_ms=load.schedule_end_ms,
        auto_offset=load.schedule_auto_offset,
        speedup=load.schedule_speedup or 1.0,
    )
    due_ns, rows = replay.due_ns, replay.rows
    if load.duration_s is not None:
        due_ns = due_ns[due_ns <= round(load.duration_s * 1e9)]
    if load.request_count is not None:
        due_ns = due_ns[: load.warm_up_requests + load.request_count]
    rows = rows[: len(due_ns)]
    used, tree = np.unique(everything.tree[rows], return_inverse=True)
    return (
        Requests(
            trees=[trees[number] for number in used.tolist()],
            tree=tree.astype(np.int32),
            step=everything.step[rows],
        ),
        due_ns,
    )


def _times_ms(tree: Drawn) -> list[float]:
    outline = tree.outline
    times_ms: list[float] = []
    after = iter(outline.after)
    for count, at_ms in zip(outline.after_counts, outline.timestamp_ms, strict=True):
        known_ms = [times_ms[step] for step in islice(after, count)]
        if at_ms is not None:
            known_ms.append(at_ms)
        if not known_ms:
            raise ConfigurationError(
                f"conversation {tree.name!r} has no timestamp, and a fixed schedule needs one for each: give it, "
                "or name the file as input_file and choose another load mode"
            )
        times_ms.append(max(known_ms))
    return times_ms
