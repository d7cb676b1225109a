"""The conversations of a checked data file, each made when it is indexed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from pytest_aiperf.common.conversation import Conversation


class Conversations(Sequence[Conversation]):
    """As many as are counted, made one at a time and not kept."""

    def __init__(self, count: int, make: Callable[[int], Conversation]) -> None:
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Conversation: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Conversation]: ...
    def __getitem__(self, index: int | slice) -> Conversation | Sequence[Conversation]:
        if isinstance(index, slice):
            chosen = range(self._count)[index]
            return Conversations(len(chosen), lambda at: self._make(chosen[at]))
        return self._make(range(self._count)[index])
