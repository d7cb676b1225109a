"""Alibaba's traces (qwen-bailian-usagetraces-anon): chats linked by the id of the one before, times in seconds.

The length of a row is that of its whole prompt, earlier turns included, and its blocks begin with theirs. So each
request stands for itself; what it has in common with the turns before it is in its blocks.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pytest_aiperf.common.conversation import Conversation, Turn
from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.dataset.base_loader import LoaderSettings
from pytest_aiperf.dataset.problems import Problems
from pytest_aiperf.dataset.row import LATEST_MS, Row, TokenCount
from pytest_aiperf.dataset.row_index import Groups, RowIndex, group
from pytest_aiperf.dataset.row_loader import Place, RowLoader
from pytest_aiperf.dataset.trace_text import TraceText

_NONE = -1

_Id = Annotated[int, Field(ge=_NONE, lt=2**63)]


class BailianRow(Row):
    """One request of a chat."""

    chat_id: Annotated[int, Field(description="Of this request.", ge=0, lt=2**63)]
    parent_chat_id: _Id = Field(default=_NONE, description="Of the request before it in its chat; -1: none.")
    timestamp: Annotated[FiniteFloat, Field(description="When it came, s.", ge=0, le=LATEST_MS / 1000)]
    input_length: TokenCount = Field(description="Length of the prompt, in tokens.")
    output_length: TokenCount = Field(description="Length of the answer, in tokens.")
    turn: Annotated[int, Field(description="Place in the chat.", ge=0, lt=2**31)] = 1
    hash_ids: list[int] = Field(description="Blocks of the prompt, 16 tokens each.", default_factory=list)


class BailianTraceLoader(RowLoader[BailianRow]):
    """A trace of chats."""

    model = BailianRow
    default_block_size: ClassVar[int] = 16
    example: ClassVar[str] = (
        '{"chat_id": 159, "parent_chat_id": -1, "timestamp": 61.114, "input_length": 30, "output_length": 132, '
        '"type": "text", "turn": 1, "hash_ids": [1089, 1090]}'
    )

    def __init__(self, settings: LoaderSettings) -> None:
        super().__init__(settings)
        self._links = array("q"), array("q"), array("q")

    @classmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Tell by the ids of chats."""
        return not path.is_dir() and first is not None and {"chat_id", "parent_chat_id"} <= first.keys()

    @cached_property
    def text(self) -> TraceText:
        """What makes the prompts."""
        size = self.settings.block_size or self.default_block_size
        return TraceText(seed=self.settings.seed, block_size=size)

    def check(self, row: BailianRow, place: Place, problems: Problems) -> None:
        """Note hash ids that do not fit the length, and keep the chat's links."""
        why = self.text.misfit(row.input_length, row.hash_ids)
        if why is not None:
            problems.malformed(f"{place.where}, hash_ids", why)
        for column, value in zip(self._links, (row.chat_id, row.parent_chat_id, row.turn), strict=True):
            column.append(value)

    def groups(self, index: RowIndex, problems: Problems) -> Groups:
        """Return the rows of each chat, by turn."""
        chat, parent, turn = (np.frombuffer(column, dtype=np.int64) for column in self._links)
        order = np.argsort(chat, kind="stable")
        twice = np.flatnonzero(np.diff(chat[order]) == 0)
        for at in twice[:20].tolist():
            lines = [index.lines[row] for row in order[at : at + 2].tolist()]
            problems.malformed(
                f"line {lines[1]}, chat_id", f"{chat[order[at]]} is that of line {lines[0]} too"
            )
        root, rootless = _roots(chat, parent, order)
        for row in rootless[:20]:
            problems.malformed(
                f"line {index.lines[row]}, parent_chat_id", "is its own ancestor; should lead to -1"
            )
        return group(root, turn)

    def conversation(self, name: str, rows: Sequence[tuple[int, BailianRow]]) -> Conversation:
        """Return the requests of a chat."""
        return Conversation(
            id=str(rows[0][1].chat_id), turns=tuple(self._turn(*row) for row in rows), with_history=False
        )

    def _turn(self, number: int, row: BailianRow) -> Turn:
        return Turn(
            text=self.text.prompt(number, length=row.input_length, hash_ids=row.hash_ids),
            max_tokens=row.output_length,
            timestamp_ms=row.timestamp * 1000,
        )


def _roots(
    chat: npt.NDArray[np.int64], parent: npt.NDArray[np.int64], order: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.int64], list[int]]:
    """Return the first row of each row's chat, and rows that have none because their parents go round in a circle.

    Each step doubles how far all rows look back: a chat of a million turns takes twenty.
    """
    found = np.minimum(np.searchsorted(chat[order], parent), len(chat) - 1)
    is_there = chat[order][found] == parent
    root = np.where(is_there, order[found], np.arange(len(chat)))
    for _ in range(len(chat).bit_length() + 1):
        root = root[root]
    circle = is_there[root]
    return root, np.flatnonzero(circle).tolist()
