"""The ``inputs.json`` that AIPerf writes beside its results: all bodies of a run, by session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pytest_aiperf.common.conversation import Conversation, Turn
from pytest_aiperf.dataset.row import Row
from pytest_aiperf.dataset.row_loader import RowLoader


class InputsRow(Row):
    """The bodies of one session."""

    session_id: Annotated[str, Field(description="Name of the conversation.", min_length=1)]
    payloads: Annotated[list[dict[str, Any]], Field(description="Its bodies.", min_length=1)]


class InputsJsonLoader(RowLoader[InputsRow]):
    """Bodies that are sent as they are."""

    model = InputsRow
    wrapped = True
    example: ClassVar[str] = '{"data": [{"session_id": "a", "payloads": [{"model": "m", "messages": []}]}]}'

    @classmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Tell by a list ``data`` of what has ``payloads``."""
        data = (first or {}).get("data")
        return (
            not path.is_dir()
            and isinstance(data, list)
            and bool(data)
            and isinstance(data[0], dict)
            and "payloads" in data[0]
        )

    def misfit(self, tags: Sequence[int]) -> str | None:
        """Return that there is a second session of this name."""
        return "the same session_id; should be another for each" if len(tags) > 1 else None

    def conversation(self, name: str, rows: Sequence[tuple[int, InputsRow]]) -> Conversation:
        """Return the bodies of a session."""
        turns = tuple(Turn(raw_payload=body) for _, row in rows for body in row.payloads)
        return Conversation(id=name, turns=turns, with_history=False)
