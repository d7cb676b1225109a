"""PYTEST_DONT_REWRITE. Prompts of a fixed length: one random stream, cut into pieces, so the same seed gives the same.

Stored baselines rest on these texts, so the stream is drawn as it always was: prompt i is what comes after i prompts.
To get at one prompt alone, the stream is wound forward without making words, from marks that were left on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.rng import derive
from pytest_aiperf.dataset.corpus import WORDS

_WORDS_PER_MARK: Final = 32_768
"""A mark is 3 kB beside 200 kB of text; winding that far takes as long as making fifteen prompts of 512 words."""
_WORDS_OF_A_DRAW: Final = 2
"""A number between 0 and 1 takes two words of 32 bits of the generator."""
_VOCABULARY: Final = np.array(WORDS, dtype=object)
_INITIALS: Final = {"prompts": "P", "warm-up": "W", "trace": "T", "answers": "A", "prefixes": "X"}


def synthetic_prompts(count: int, *, isl: int, seed: int, stream: str = "prompts") -> list[str]:
    """Return `count` prompts of exactly `isl` words each; no two of one stream start alike.

    Distinct beginnings keep a server's prefix cache from serving one prompt with the work of another. Streams
    of different names are disjoint: warm-up prompts are never measured ones.
    """
    prompts = FixedLengthPrompts(isl=isl, seed=seed, stream=stream)
    return [prompts.prompt(index) for index in range(count)]


class FixedLengthPrompts:
    """The prompts of one stream, in any order; forward is fastest."""

    def __init__(self, *, isl: int, seed: int, stream: str) -> None:
        self._isl, self._stream = isl, stream
        self._generator = np.random.MT19937()
        self._draws = np.random.RandomState(self._generator)
        self._draws.set_state(_state_of(derive(seed, f"dataset.{stream}.isl={isl}")))
        self._at = 0
        self._marks = [self._generator.state]
        self._per_mark = max(1, _WORDS_PER_MARK // isl)

    def prompt(self, index: int) -> str:
        """Return prompt number `index`, counted from 0."""
        if index != self._at:
            self._back_to_mark(index)
        self._forward_to(index)
        self._at += 1
        drawn = (self._draws.random_sample(self._isl) * len(WORDS)).astype(np.intp)
        return in_words(opening(index, self._stream), _VOCABULARY[drawn].tolist())

    def _back_to_mark(self, index: int) -> None:
        nearest = min(index // self._per_mark, len(self._marks) - 1)
        self._generator.state = self._marks[nearest]
        self._at = nearest * self._per_mark

    def _forward_to(self, index: int) -> None:
        while True:
            if self._at == len(self._marks) * self._per_mark:
                self._marks.append(self._generator.state)
            if self._at == index:
                return
            step = min(index - self._at, self._per_mark - self._at % self._per_mark)
            self._generator.random_raw(_WORDS_OF_A_DRAW * self._isl * step, output=False)
            self._at += step


def _state_of(rng: Random) -> tuple[str, npt.NDArray[np.uint32], int, int, float]:
    """The state of Python's generator as that of numpy's, which is the same one: draws are three times as fast."""
    *key, position = rng.getstate()[1]
    no_second_normal = 0, 0.0
    return "MT19937", np.array(key, dtype=np.uint32), position, *no_second_normal


def in_words(first: str, words: Sequence[str]) -> str:
    """Return a text of these words, the first one replaced."""
    return " ".join([first, *words[1:]])


def opening(index: int, stream: str) -> str:
    """Return a word that no other prompt of any stream begins with: the stream, and the number in letters."""
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return f"{_INITIALS[stream]}{letters}" if stream in _INITIALS else f"{stream}:{letters}"
