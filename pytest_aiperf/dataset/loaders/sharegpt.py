"""Recorded conversations in the form of ShareGPT: who said it, and what.

What the user said is asked again; what was answered is the history, and its length the length that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import ConfigDict, Field

from pytest_aiperf.common.conversation import Conversation, Turn
from pytest_aiperf.dataset.problems import Problems, shown
from pytest_aiperf.dataset.row import Row
from pytest_aiperf.dataset.row_loader import Place, RowLoader

CHARACTERS_PER_TOKEN: Final = 4
_ROLES: Final = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "system": "system",
}


class Said(Row):
    """Something said by somebody."""

    model_config = ConfigDict(extra="ignore")

    by: Annotated[str, Field(description="Who says it.", alias="from")]
    value: str = Field(description="What is said.")


class ShareGptRow(Row):
    """A conversation."""

    model_config = ConfigDict(extra="ignore")

    id: str | int | None = Field(default=None, description="Name of the conversation.")
    conversations: list[Said] = Field(description="What was said, in its order.")


class ShareGptLoader(RowLoader[ShareGptRow]):
    """A list of conversations, or one a line."""

    model = ShareGptRow
    example: ClassVar[str] = (
        '{"id": "a", "conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi there"}]}'
    )

    @classmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Tell by a list ``conversations``."""
        return not path.is_dir() and isinstance((first or {}).get("conversations"), list)

    def check(self, row: ShareGptRow, place: Place, problems: Problems) -> None:
        """Note speakers that have no part in a chat."""
        for index, said in enumerate(row.conversations):
            if said.by not in _ROLES:
                what = f"the speaker {shown(said.by)} is not supported; known are {', '.join(_ROLES)}"
                problems.unsupported(place.where, what, conversation=_name(row, place.row), turn=index)

    def session_of(self, row: ShareGptRow) -> str | None:
        """Return None: an id may come twice, and means nothing."""
        return None

    def is_used(self, row: ShareGptRow) -> bool:
        """Return whether anything is asked in it."""
        return any(_ROLES.get(said.by) == "user" and said.value for said in row.conversations)

    def conversation(self, name: str, rows: Sequence[tuple[int, ShareGptRow]]) -> Conversation:
        """Return what was asked, each question with the answers before it."""
        number, row = rows[0]
        said = [(_ROLES[each.by], each.value) for each in row.conversations if each.value]
        system = next((text for role, text in said if role == "system"), None)
        said = [each for each in said if each[0] != "system"]
        while said[0][0] == "assistant":  # no API takes an answer before any question
            said.pop(0)
        turns = [
            Turn(text=text, role=role, max_tokens=self._length(said[index + 1 :]) if role == "user" else None)
            for index, (role, text) in enumerate(said)
        ]
        while turns[-1].role == "assistant":
            turns.pop()
        return Conversation(id=_name(row, number), turns=tuple(turns), system=system)

    def _length(self, following: Sequence[tuple[str, str]]) -> int | None:
        """Return about how many tokens the recorded answer has; that of the settings where none follows."""
        if not following or following[0][0] != "assistant":
            return self.settings.osl
        return math.ceil(len(following[0][1]) / CHARACTERS_PER_TOKEN)


def _name(row: ShareGptRow, number: int) -> str:
    return f"row-{number}" if row.id is None else str(row.id)
