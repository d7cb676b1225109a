"""Synthetic prompts: drawn from the corpus by a named random stream, so the same seed gives the same prompts."""

from __future__ import annotations

from pytest_aiperf.common.rng import derive
from pytest_aiperf.dataset.corpus import WORDS


def synthetic_prompts(count: int, *, isl: int, seed: int, stream: str = "prompts") -> list[str]:
    """Return `count` prompts of exactly `isl` words each; no two of one stream start alike.

    Distinct beginnings keep a server's prefix cache from serving one prompt with the work of another. Streams
    of different names are disjoint: warm-up prompts are never measured ones.
    """
    rng = derive(seed, f"dataset.{stream}.isl={isl}")
    return [_prompt(rng.choices(WORDS, k=isl), _opening(index, stream)) for index in range(count)]


def _prompt(words: list[str], opening: str) -> str:
    return " ".join([opening, *words[1:]])


def _opening(index: int, stream: str) -> str:
    """One word that no other prompt begins with: the stream's initial and the number in letters."""
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return f"{stream[0].upper()}{letters}"
