"""Prompts for traces, which tell how long a prompt was and which blocks of it were shared, but not what it said.

A block is the same words wherever its hash id stands, so that two prompts share exactly the blocks that the trace says
they share. A last block that is cut short is the beginning of the whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from pytest_aiperf.common.rng import derive
from pytest_aiperf.dataset.corpus import WORDS

_KEPT_BLOCKS = 256


class TraceText:
    """Makes the prompts of one trace; the same seed makes the same ones."""

    def __init__(self, *, seed: int, block_size: int) -> None:
        self._seed = seed
        self._block_size = block_size
        self._block: Callable[[int], tuple[str, ...]] = lru_cache(_KEPT_BLOCKS)(self._new_block)

    def prompt(self, row: int, *, length: int, hash_ids: Sequence[int] = ()) -> str:
        """Return a prompt of `length` words: its blocks, and after them words of this row alone.

        Args:
            row: number of the row; no two prompts without blocks begin alike.
            length: in words, about a token each.
            hash_ids: of its blocks, in their order.
        """
        words = [word for hash_id in hash_ids for word in self._block(hash_id)][:length]
        own = length - len(words)
        if own > 0:
            rng = derive(self._seed, f"dataset.trace.row={row}")
            words += [f"row{row}", *rng.choices(WORDS, k=own - 1)]
        return " ".join(words)

    def misfit(self, length: int, hash_ids: Sequence[int]) -> str | None:
        """Return why a prompt of this length cannot have these blocks."""
        size = self._block_size
        least = (len(hash_ids) - 1) * size + 1
        if length >= least:
            return None
        return (
            f"{len(hash_ids)} blocks of {size} tokens do not fit into input_length {length}; "
            f"should be {least} or more, or isl_block_size another"
        )

    def _new_block(self, hash_id: int) -> tuple[str, ...]:
        return tuple(derive(self._seed, f"dataset.trace.block={hash_id}").choices(WORDS, k=self._block_size))
