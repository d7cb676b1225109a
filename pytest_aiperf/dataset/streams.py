"""PYTEST_DONT_REWRITE. The random streams of one conversation: one for every purpose, made when it is first used."""

from __future__ import annotations

from random import Random

from pytest_aiperf.common.rng import derive


class Streams:
    """Streams by purpose: one that draws more, or is new, shifts no other; one that draws nothing costs nothing."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed, self._name = seed, name
        self._made: dict[str, Random] = {}

    def __getitem__(self, purpose: str) -> Random:
        """Return the stream of this purpose, where its last reader left it."""
        if purpose not in self._made:
            self._made[purpose] = derive(self._seed, f"{self._name}.{purpose}")
        return self._made[purpose]
