"""PYTEST_DONT_REWRITE. A steady crowd of users, each at turns of its own: the user-centric load.

N users together send `rate` requests/s, so each sends one every N / rate seconds, whatever the others do; the gap
between two turns of a user is what decides whether a server's prefix cache still holds the conversation. A user whose
conversation is over is replaced by a new one, in the same rhythm.

At the start of the run the crowd is as it would be after a long time: users are at different turns of their
conversations, spread evenly. Neighbours in the rhythm are far apart in their conversations, so that ends and
beginnings do not come in waves: places are dealt in steps near N / golden ratio, coprime to N so that each is met once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, gcd, isfinite
from typing import NamedTuple

import numpy as np

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Int32, Int64
from pytest_aiperf.engine.conversations import turns_in_order


class UserSchedule(NamedTuple):
    """``(n,)`` columns, one entry for each request in the order of its due time."""

    due_ns: Int64
    """`LoadPlan.due_ns`."""
    conversation: Int32
    """`LoadPlan.conversation`: counted up as users come; number c plays the conversation ``c % len(turns)``."""
    turn: Int32
    """Which turn of its conversation a request is, from 0. Those of the first users begin in the middle."""
    after_offsets: Int64
    """`LoadPlan.after_offsets`: each turn waits for the answer to the one before it."""
    after: Int32


def user_schedule(
    turns: Sequence[int],
    *,
    users: int,
    rate: float,
    count: int | None = None,
    duration_s: float | None = None,
) -> UserSchedule:
    """Return the schedule of `users` users who send `rate` requests/s together.

    The first request is due at 0, the k-th at ``k / rate``. A turn whose predecessor is still running is sent late;
    the user's later turns keep their times.

    Args:
        turns: how many turns each conversation has; used again from the start when there are no more.
        users: N.
        rate: requests/s of all users together.
        count: so many requests.
        duration_s: requests due before this moment; with a count too: at most so many.

    Raises:
        ConfigurationError: a number is out of its range; neither count nor duration.
    """
    if users < 1 or not (isfinite(rate) and rate > 0):
        raise ConfigurationError(f"users and rate must be greater than 0, got {users} and {rate}")
    if not turns or min(turns) < 1:
        raise ConfigurationError("every conversation of a user-centric load needs at least one turn")
    if count is None and duration_s is None:
        raise ConfigurationError("a user-centric load needs an end: give a request count or a duration")
    limits = [n for n in (count, None if duration_s is None else ceil(duration_s * rate)) if n is not None]
    due_ns = np.rint(np.arange(min(limits)) / rate * 1e9).astype(np.int64)
    conversation, turn = _turns_of(turns, users, len(due_ns))
    return UserSchedule(due_ns, conversation, turn, *turns_in_order(conversation))


def _turns_of(turns: Sequence[int], users: int, requests: int) -> tuple[Int32, Int32]:
    conversation = np.empty(requests, dtype=np.int32)
    turn = np.empty(requests, dtype=np.int32)
    step = _coprime_near_golden(users)
    at: list[tuple[int, int]] = []
    begun = 0
    for k in range(requests):
        place = k % users
        if place == len(at):
            length = turns[begun % len(turns)]
            at.append((begun, (place * step % users) * length // users))
            begun += 1
        elif at[place][1] == turns[at[place][0] % len(turns)]:
            at[place] = (begun, 0)
            begun += 1
        conversation[k], turn[k] = at[place]
        at[place] = (at[place][0], at[place][1] + 1)
    return conversation, turn


def _coprime_near_golden(n: int) -> int:
    start = max(round(n * 0.6180339887), 1)
    return next(
        step for distance in range(n) for step in (start + distance, start - distance) if gcd(step, n) == 1
    )
