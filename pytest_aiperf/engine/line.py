"""PYTEST_DONT_REWRITE. The line of requests: which is next, and when.

Requests that follow nothing stand in the plan's order and are ready at their due time. The others join when the last
one that they follow has ended and their delay is over. Of those that are ready the first of the plan goes first; so a
closed loop goes on with a conversation that it has begun before it begins another.

A follower of a request that did not end well is not sent: its conversation never got that far. It is given up as soon
as everything that it follows has ended, and so are its own followers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

import numpy as np

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.engine.plan import LoadPlan

_ENDLESS: Final = sys.maxsize


class Next(NamedTuple):
    """A request that may be sent."""

    position: int
    """Position in the plan; beyond its bodies they are used again."""
    t_plan: int
    """When it should have been sent, CLOCK_REALTIME ns; 0 where nothing but a free slot decides."""


class GivenUp(NamedTuple):
    """A request that will never be sent."""

    position: int
    because: Outcome
    """What became of one that it follows: `CANCELLED`, or `ERROR` for anything else that is not `OK`."""


class Line:
    """Hands out each request of the plan once: by `take`, or among those that `ended` returns as given up."""

    def __init__(self, plan: LoadPlan, start_ns: int) -> None:
        self._rows = len(plan.bodies)
        self._end = _ENDLESS if plan.requests is None else plan.requests
        self._start_ns = start_ns
        self._due: list[int] | None = None if plan.due_ns is None else plan.due_ns.tolist()
        self._delay: list[int] | None = None if plan.delay_ns is None else plan.delay_ns.tolist()
        self._links = None if plan.after is None else _Links(plan)
        self._roots: Sequence[int] = range(self._rows) if self._links is None else self._links.roots
        self._roots_taken = 0
        self._waiting: dict[int, int] = {}
        """How many each request still waits for, of those that wait for another one already."""
        self._doomed: dict[int, Outcome] = {}
        self._delayed: list[tuple[int, int]] = []
        """(when it is ready, index), a heap."""
        self._ready: list[tuple[int, int]] = []
        """(index, `t_plan`), a heap."""
        self.left = self._end
        """Requests that were neither taken nor given up; meaningless in an endless plan."""
        self._find_root()

    def _find_root(self) -> None:
        cycle, k = divmod(self._roots_taken, len(self._roots))
        index = cycle * self._rows + self._roots[k]
        self._root = index if index < self._end else _ENDLESS
        self._root_at = self._start_ns
        if self._due is not None and self._root != _ENDLESS:
            self._root_at += self._due[index]

    def take(self, now_ns: int) -> Next | None:
        """Return the first request that is ready, and take it off the line; None if there is none."""
        while self._delayed and self._delayed[0][0] <= now_ns:
            at_ns, index = heappop(self._delayed)
            heappush(self._ready, (index, at_ns))
        if self._ready and (self._ready[0][0] < self._root or self._root_at > now_ns):
            self.left -= 1
            return Next(*heappop(self._ready))
        if self._root == _ENDLESS or self._root_at > now_ns:
            return None
        taken = Next(self._root, 0 if self._due is None else self._root_at)
        self.left -= 1
        self._roots_taken += 1
        self._find_root()
        return taken

    @property
    def next_ns(self) -> int | None:
        """When the next one will be ready, as far as that is known; None where it takes the end of another one."""
        known = [self._delayed[0][0]] if self._delayed else []
        if self._root != _ENDLESS:
            known.append(self._root_at)
        return min(known, default=None)

    @property
    def roots_left(self) -> bool:
        """Whether there are requests that follow nothing."""
        return self._root != _ENDLESS

    def is_followed(self, index: int) -> bool:
        """Whether another request waits for this one."""
        return self._links is not None and bool(self._links.followers(index % self._rows))

    def ended(self, index: int, at_ns: int, outcome: Outcome) -> list[GivenUp]:
        """Let the followers of this request join the line; returns those that never will, theirs included."""
        given_up: list[GivenUp] = []
        ended = [(index, outcome)]
        while ended and self._links is not None:
            index, outcome = ended.pop()
            base = index - index % self._rows
            for row in self._links.followers(index % self._rows):
                follower = base + row
                if follower >= self._end:
                    continue
                if outcome is not Outcome.OK:
                    self._doom(follower, outcome)
                left = self._waiting.pop(follower, self._links.prerequisites[row]) - 1
                if left:
                    self._waiting[follower] = left
                elif follower in self._doomed:
                    because = self._doomed.pop(follower)
                    self.left -= 1
                    given_up.append(GivenUp(follower, because))
                    ended.append((follower, because))
                else:
                    self._join(follower, row, at_ns)
        return given_up

    def _doom(self, index: int, outcome: Outcome) -> None:
        cancelled = outcome is Outcome.CANCELLED and self._doomed.get(index) is not Outcome.ERROR
        self._doomed[index] = Outcome.CANCELLED if cancelled else Outcome.ERROR

    def _join(self, index: int, row: int, at_ns: int) -> None:
        delay_ns = 0 if self._delay is None else self._delay[row]
        if self._due is not None:
            heappush(self._delayed, (max(at_ns + delay_ns, self._start_ns + self._due[row]), index))
        elif delay_ns:
            heappush(self._delayed, (at_ns + delay_ns, index))
        else:
            heappush(self._ready, (index, 0))


class _Links:
    """`after` read the other way round: from a request to its followers. Rows, not indices."""

    def __init__(self, plan: LoadPlan) -> None:
        assert plan.after is not None
        assert plan.after_offsets is not None
        counts = np.diff(plan.after_offsets)
        follower = np.repeat(np.arange(len(counts)), counts)
        self._followers: list[int] = follower[np.argsort(plan.after, kind="stable")].tolist()
        per_row = np.bincount(plan.after, minlength=len(counts))
        self._offsets: list[int] = np.concatenate(([0], np.cumsum(per_row))).tolist()
        self.prerequisites: list[int] = counts.tolist()
        self.roots: list[int] = np.flatnonzero(counts == 0).tolist()

    def followers(self, row: int) -> list[int]:
        return self._followers[self._offsets[row] : self._offsets[row + 1]]
