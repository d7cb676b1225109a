"""A conversation a line; lines of one session go on from each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pytest_aiperf.common.conversation import Conversation
from pytest_aiperf.dataset.content import TurnRow, note_faults
from pytest_aiperf.dataset.loaders.single_turn import request_turn
from pytest_aiperf.dataset.problems import Problems
from pytest_aiperf.dataset.row import Row, SessionId
from pytest_aiperf.dataset.row_loader import Place, RowLoader

_HAS_SYSTEM = 1


class MultiTurnRow(Row):
    """A conversation, or a part of one."""

    session_id: SessionId = Field(default=None, description="Rows of one session are one conversation.")
    turns: Annotated[list[TurnRow], Field(min_length=1)] = Field(description="What is said, in its order.")


class MultiTurnLoader(RowLoader[MultiTurnRow]):
    """Turns of texts and media, a conversation a line."""

    model = MultiTurnRow
    example: ClassVar[str] = (
        '{"session_id": "a", "turns": [{"text": "Hello"}, {"text": "And now?", "delay": 500}]}'
    )

    @classmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Tell by a list of turns that are not a graph's."""
        turns = (first or {}).get("turns")
        graph = {"messages", "forks", "spawns"}
        return (
            not path.is_dir()
            and isinstance(turns, list)
            and not any(graph & set(_keys(turn)) for turn in turns)
        )

    def check(self, row: MultiTurnRow, place: Place, problems: Problems) -> None:
        """Note media that cannot be sent, and roles out of place."""
        for index, turn in enumerate(row.turns):
            where = f"{place.where}, turns[{index}]"
            name = row.session_id or f"row-{place.row}"
            note_faults(turn, where, problems, self.media, conversation=name, turn=index)
            if turn.role == "system" and (index > 0 or not turn.text or turn.timestamp or turn.extra):
                what = "'system'; only the first turn may be one, and has a 'text' and nothing else"
                problems.malformed(f"{where}.role", what)
        if not any(turn.role == "user" for turn in row.turns):
            problems.malformed(f"{place.where}, turns", "no request; one turn should have the role 'user'")

    def tag_of(self, row: MultiTurnRow) -> int:
        """Return whether it has a system prompt."""
        return _HAS_SYSTEM * (row.turns[0].role == "system")

    def misfit(self, tags: Sequence[int]) -> str | None:
        """Return that a system prompt stands in the middle."""
        return (
            "a further row of the session has a system prompt; only its first may" if any(tags[1:]) else None
        )

    def conversation(self, name: str, rows: Sequence[tuple[int, MultiTurnRow]]) -> Conversation:
        """Return the turns of a session's rows, one after the other."""
        given = [turn for _, row in rows for turn in row.turns]
        system = given[0].text if given[0].role == "system" else None
        turns = [
            request_turn(turn, self.media, osl=self.settings.osl) for turn in given if turn.role != "system"
        ]
        turns = [replace(turn, max_tokens=None) if turn.role == "assistant" else turn for turn in turns]
        while turns[-1].role == "assistant":  # nothing is asked after it
            turns.pop()
        return Conversation(id=name, turns=tuple(turns), system=system)


def _keys(turn: object) -> Sequence[str]:
    return list(turn) if isinstance(turn, dict) else ()
