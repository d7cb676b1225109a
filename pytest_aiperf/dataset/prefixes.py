"""PYTEST_DONT_REWRITE. A pool of prefixes, of which each conversation begins with one.

It is one pool for all streams: the warm-up fills the server's prefix cache with what the measured requests share.
"""

from __future__ import annotations

from pytest_aiperf.common.rng import derive
from pytest_aiperf.dataset.streams import Streams
from pytest_aiperf.dataset.synthesis import opening
from pytest_aiperf.dataset.texts import Texts


class PrefixPool:
    """Distinct texts of one length; each is made once."""

    def __init__(self, *, size: int, length: int, seed: int, texts: Texts) -> None:
        self._size, self._length, self._seed, self._texts = size, length, seed, texts
        self._made: dict[int, str] = {}

    def draw(self, streams: Streams) -> str:
        """Return one of them, each as likely as any other; an empty text where there are none."""
        if self._size == 0:
            return ""
        number = streams["prefix"].randrange(self._size)
        if number not in self._made:
            self._made[number] = self._prefix(number)
        return self._made[number]

    def _prefix(self, number: int) -> str:
        rng = derive(self._seed, f"dataset.prefixes.{number}")
        return self._texts.extended("", length=self._length, opening=opening(number, "prefixes"), rng=rng)
