"""PYTEST_DONT_REWRITE. Which request follows which: turns of conversations, and any graph without a circle.

A request may follow several (a join), and several may follow one (a fork); the plan holds that as two columns,
`after_offsets` and `after`, for each request the ones before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pytest_aiperf.common.records import ABSENT, Int32, Int64


class Order(NamedTuple):
    """Two columns of a `LoadPlan`."""

    after_offsets: Int64
    """``(n + 1,)``"""
    after: Int32


def order_of(prerequisites: Sequence[Sequence[int]]) -> Order:
    """Return the columns for requests of which each follows those that are listed for it."""
    offsets = np.zeros(len(prerequisites) + 1, dtype=np.int64)
    np.cumsum([len(p) for p in prerequisites], out=offsets[1:])
    return Order(offsets, np.array([i for p in prerequisites for i in p], dtype=np.int32))


def turns_in_order(conversation: Int32) -> Order:
    """Return the columns by which each request follows the one before it in its conversation.

    Args:
        conversation: ``(n,)``: `LoadPlan.conversation`; `ABSENT` for a request that stands alone.
    """
    by_conversation = np.argsort(conversation, kind="stable")
    sorted_ = conversation[by_conversation]
    follows = np.concatenate(([False], (sorted_[1:] == sorted_[:-1]) & (sorted_[1:] != ABSENT)))
    before = np.full(len(conversation), ABSENT, dtype=np.int32)
    before[by_conversation[1:]] = np.where(follows[1:], by_conversation[:-1], ABSENT)
    has_one = before != ABSENT
    return Order(np.concatenate(([0], np.cumsum(has_one))), before[has_one])


def is_last_turn(conversation: Int32) -> list[bool]:
    """Return for each request whether no later one of the plan belongs to its conversation."""
    last = np.ones(len(conversation), dtype=bool)
    by_conversation = np.argsort(conversation, kind="stable")
    sorted_ = conversation[by_conversation]
    last[by_conversation[:-1]] = (sorted_[1:] != sorted_[:-1]) | (sorted_[1:] == ABSENT)
    flags: list[bool] = last.tolist()
    return flags
