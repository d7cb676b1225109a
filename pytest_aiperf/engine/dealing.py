"""PYTEST_DONT_REWRITE. One plan for several load processes: who sends which request is fixed before the run.

Requests could instead be handed out while the run goes on, to whoever is free. But then which process sends what would
depend on the machine's mood, and a slot would wait for another process before it could send. Dealt out beforehand a
run is the same every time, and the processes need nothing from each other but a common start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import ABSENT, Int32, Int64
from pytest_aiperf.engine.plan import LoadPlan

_BY_REQUEST: Final = ("due_ns", "conversation", "delay_ns", "cancel_after_ns")


def deal(plan: LoadPlan, workers: int) -> list[LoadPlan]:
    """Return the plan's shares, one for each load process: `workers` of them, or fewer.

    The k-th conversation goes to slot k % concurrency of the whole, and slot s to process s % `workers`; a request that
    stands alone is a conversation of one. So the shares are as long as their processes have slots, also where these
    cannot be split evenly. Conversations of which one follows a request of the other stay together.

    No process is left without a slot or a request: with a concurrency below `workers` there are fewer of them. The sum
    over the shares of requests, slots and `count` is that of the plan; `numbers` says which request is which, and with
    that which URL is whose. A ramp of the concurrency goes on in each share.
    """
    rows = len(plan.bodies) if plan.count is None else min(plan.count, len(plan.bodies))
    limits = [n for n in (plan.concurrency, plan.prefill_concurrency) if n is not None]
    group = _groups(plan, rows)
    shares = min(workers, int(group.max()) + 1, *limits)
    if shares == 1:
        return [plan]
    slot = group if plan.concurrency is None else group % plan.concurrency
    return [_share(plan, np.flatnonzero(slot % shares == k), k, shares) for k in range(shares)]


def in_whole_plan(share: LoadPlan, index: Int32) -> Int32:
    """Return the numbers in the whole plan of requests ``index`` of a share, which count on when bodies are reused."""
    if share.numbers is None:
        return index
    rounds, row = np.divmod(index, np.int32(len(share.bodies)))
    return (share.numbers[row] + rounds * np.int32(share.whole or 0)).astype(np.int32)


def _share(plan: LoadPlan, rows: npt.NDArray[np.intp], number: int, of: int) -> LoadPlan:
    columns: dict[str, Any] = {
        name: np.ascontiguousarray(column[rows])
        for name in _BY_REQUEST
        if (column := getattr(plan, name)) is not None
    }
    return replace(
        plan,
        bodies=[plan.bodies[row] for row in rows.tolist()],
        expected=None if plan.expected is None else [plan.expected[row] for row in rows.tolist()],
        concurrency=_part(plan.concurrency, number, of),
        prefill_concurrency=_part(plan.prefill_concurrency, number, of),
        count=_count(plan, rows),
        numbers=rows.astype(np.int32),
        whole=len(plan.bodies),
        **columns,
        **_links(plan, rows),
    )


def _part(total: int | None, number: int, of: int) -> int | None:
    return None if total is None else total // of + (number < total % of)


def _count(plan: LoadPlan, rows: npt.NDArray[np.intp]) -> int | None:
    """Return how many of the plan's requests use one of these bodies, which are used again in turn."""
    if plan.count is None:
        return None
    rounds, rest = divmod(plan.count, len(plan.bodies))
    return rounds * len(rows) + int(np.count_nonzero(rows < rest))


def _groups(plan: LoadPlan, rows: int) -> Int64:
    """Return ``(rows,)`` group numbers, counted up in order of first appearance, of what has to stay together."""
    group = np.arange(rows, dtype=np.int64)
    if plan.conversation is not None:
        named = plan.conversation[:rows]
        first = np.unique(named, return_index=True)
        group = np.where(named == ABSENT, group, first[1][np.searchsorted(first[0], named)])
    if plan.after is not None and plan.after_offsets is not None:
        group = _joined(group, plan.after, plan.after_offsets, rows)
    _, first_row, of_row = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first_row), dtype=np.int64)
    rank[np.argsort(first_row)] = np.arange(len(first_row))
    return rank[of_row]


def _joined(group: Int64, after: Int32, after_offsets: Int64, rows: int) -> Int64:
    """Return the groups with those made one of which one follows a request of the other."""
    ends = after_offsets[: rows + 1]
    follower = group[np.repeat(np.arange(rows), np.diff(ends))]
    followed = group[after[ends[0] : ends[-1]]]
    apart = follower != followed
    parent = np.arange(rows).tolist()

    def root(member: int) -> int:
        while parent[member] != member:
            parent[member] = member = parent[parent[member]]
        return member

    for a, b in zip(follower[apart].tolist(), followed[apart].tolist(), strict=True):
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    if not apart.any():
        return group
    return np.fromiter(map(root, group.tolist()), dtype=np.int64, count=rows)


def _links(plan: LoadPlan, rows: npt.NDArray[np.intp]) -> dict[str, Any]:
    """Return `after` and `after_offsets` of these rows, in indices of the share."""
    if plan.after is None or plan.after_offsets is None:
        return {}
    new_index = np.full(len(plan.bodies), ABSENT, dtype=np.int32)
    new_index[rows] = np.arange(len(rows), dtype=np.int32)
    counts = np.diff(plan.after_offsets)
    theirs = np.repeat(new_index != ABSENT, counts)
    offsets = np.concatenate(([0], np.cumsum(counts[rows])))
    return {"after_offsets": offsets, "after": new_index[plan.after[theirs]]}
