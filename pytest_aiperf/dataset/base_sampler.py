"""What a sampler is: it says which conversation of the data comes next."""

from __future__ import annotations

from abc import ABC, abstractmethod


class BaseSampler(ABC):
    """Draws from ``size`` conversations; the same seed draws the same ones."""

    def __init__(self, size: int, *, seed: int) -> None:
        self._size = size
        self._seed = seed

    @abstractmethod
    def next_index(self) -> int:
        """Return the index of the next conversation, from 0."""
