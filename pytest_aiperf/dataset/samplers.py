"""PYTEST_DONT_REWRITE. In which order conversations of the data are used.

The random ones draw whole numbers from streams by name, so that one seed gives one order on every platform.
"""

from __future__ import annotations

from pytest_aiperf.common.rng import derive
from pytest_aiperf.dataset.base_sampler import BaseSampler


class SequentialSampler(BaseSampler):
    """One after the other, and from the start again after the last."""

    def __init__(self, size: int, *, seed: int) -> None:
        super().__init__(size, seed=seed)
        self._next = 0

    def next_index(self) -> int:
        """Return the index of the next conversation."""
        index, self._next = self._next, (self._next + 1) % self._size
        return index


class RandomSampler(BaseSampler):
    """Any of them each time, so one may come twice before another comes at all."""

    def __init__(self, size: int, *, seed: int) -> None:
        super().__init__(size, seed=seed)
        self._rng = derive(seed, "dataset.sampler.random")

    def next_index(self) -> int:
        """Return the index of the next conversation."""
        return self._rng.randrange(self._size)


class ShuffleSampler(BaseSampler):
    """Each of them once a round, every round in another order."""

    def __init__(self, size: int, *, seed: int) -> None:
        super().__init__(size, seed=seed)
        self._rng = derive(seed, "dataset.sampler.shuffle")
        self._round: list[int] = []

    def next_index(self) -> int:
        """Return the index of the next conversation."""
        if not self._round:
            self._round = list(range(self._size))
            self._rng.shuffle(self._round)
        return self._round.pop()
