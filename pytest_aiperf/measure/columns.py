"""From conversations in their order to the columns of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from pytest_aiperf.common.records import ABSENT, Int32, Int64
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.engine.conversations import Order
from pytest_aiperf.measure.draws import data_path
from pytest_aiperf.measure.stock import Drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What the requests of a run are, before anything is formatted."""

    trees: Sequence[Drawn]
    """Conversations with their branches."""
    tree: Int32
    """``(n,)``: which of them each request belongs to."""
    step: Int32
    """``(n,)``: which request of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversations:
    """What belongs together, and what follows what. Shapes: ``(n,)`` unless stated; names are those of the plan."""

    conversation: Int32
    turn: Int32
    """Requests that the request's conversation has had before it."""
    after_offsets: Int64
    """``(n + 1,)``."""
    after: Int32
    """``(m,)``."""
    delay_ns: Int64


def sizes_of(trees: Sequence[Drawn]) -> Int64:
    """Return ``(len(trees),)``: how many requests each has."""
    return np.fromiter((tree.outline.size for tree in trees), dtype=np.int64, count=len(trees))


def one_after_the_other(trees: Sequence[Drawn]) -> Requests:
    """Return the requests of all of them in turn."""
    sizes = sizes_of(trees)
    return Requests(
        trees=trees,
        tree=np.repeat(np.arange(len(trees), dtype=np.int32), sizes),
        step=(np.arange(sizes.sum()) - np.repeat(_firsts(sizes), sizes)).astype(np.int32),
    )


def linked(config: AIPerfConfig, requests: Requests) -> Conversations | None:
    """Return what follows what; None where each request stands alone.

    Args:
        config: whose factors the pauses have.
        requests: in the order of the plan. What a request follows and is not among them it does not wait for.
    """
    outlines = [tree.outline for tree in requests.trees]
    if all(outline.size == 1 for outline in outlines):
        return None
    sizes = sizes_of(requests.trees)
    firsts = _firsts(sizes)
    place = firsts[requests.tree] + requests.step
    row_of = np.full(sizes.sum(), ABSENT, dtype=np.int64)
    row_of[place] = np.arange(len(place))
    counts = _joined([outline.after_counts for outline in outlines])
    after = _joined([outline.after for outline in outlines])
    after += np.repeat(firsts, [len(outline.after) for outline in outlines])
    offsets, followed = _in_rows(counts, row_of[after], place)
    members = np.array([outline.members for outline in outlines])
    own_number = _joined([outline.number for outline in outlines])
    return Conversations(
        conversation=(_firsts(members)[requests.tree] + _joined([o.member for o in outlines])[place]).astype(
            np.int32
        ),
        turn=own_number[place].astype(np.int32),
        after_offsets=offsets,
        after=followed,
        delay_ns=np.where(np.diff(offsets) > 0, pauses_ns(config, requests), 0),
    )


def pauses_ns(config: AIPerfConfig, requests: Requests) -> Int64:
    """Return ``(n,)``: the pause before each request that follows others. Made-up ones have their ratio already."""
    factor = 1.0 if data_path(config) is None else config.input.session_delay_ratio
    factor /= config.load.schedule_speedup or 1.0
    delay_ms = np.array([delay_ms for tree in requests.trees for delay_ms in tree.outline.delay_ms])
    place = _firsts(sizes_of(requests.trees))[requests.tree] + requests.step
    pauses: Int64 = np.rint(delay_ms[place] * factor * 1e6).astype(np.int64)
    return pauses


def _in_rows(counts: Int64, followed: Int64, place: Int64) -> Order:
    """Return what each row follows, as columns of the plan, in rows; what is no row is left out.

    Args:
        counts: how many each request of the trees follows.
        followed: their rows, one request's after the other's.
        place: the request of each row.
    """
    starts = np.cumsum(counts) - counts
    of_row = counts[place]
    taken = np.repeat(starts[place], of_row) + np.arange(of_row.sum()) - np.repeat(_firsts(of_row), of_row)
    rows = followed[taken]
    there = rows != ABSENT
    follower = np.repeat(np.arange(len(place)), of_row)[there]
    offsets = np.concatenate(([0], np.cumsum(np.bincount(follower, minlength=len(place)))))
    return Order(offsets.astype(np.int64), rows[there].astype(np.int32))


def _firsts(sizes: Int64) -> Int64:
    """Return where each of several stretches of these sizes begins, one behind the other."""
    firsts: Int64 = np.cumsum(sizes) - sizes
    return firsts


def _joined(lists: Iterable[Sequence[int]]) -> Int64:
    return np.fromiter(chain.from_iterable(lists), dtype=np.int64)
