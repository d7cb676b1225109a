"""A request a line. Rows of one session are sent one after the other; none carries what was said before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pytest_aiperf.common.conversation import Conversation, Turn
from pytest_aiperf.dataset.content import CONTENT_KEYS, SessionRow, TurnRow, content_turn, note_faults
from pytest_aiperf.dataset.media_files import MediaFolder
from pytest_aiperf.dataset.problems import Problems
from pytest_aiperf.dataset.row_loader import Place, RowLoader


class SingleTurnLoader(RowLoader[SessionRow]):
    """Texts and media, a request a line."""

    model = SessionRow
    example: ClassVar[str] = '{"text": "What is deep learning?", "image": "cat.png", "output_length": 64}'

    @classmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Tell by a key of content, and no list of turns."""
        return (
            not path.is_dir()
            and first is not None
            and bool(CONTENT_KEYS & first.keys())
            and "turns" not in first
        )

    def check(self, row: SessionRow, place: Place, problems: Problems) -> None:
        """Note media that cannot be sent, and a role that no request has."""
        name = row.session_id or f"row-{place.row}"
        note_faults(row, place.where, problems, self.media, conversation=name)
        if row.role != "user":
            problems.malformed(
                f"{place.where}, role", f"{row.role!r}; should be 'user': each row is a request"
            )

    def conversation(self, name: str, rows: Sequence[tuple[int, SessionRow]]) -> Conversation:
        """Return the requests of a session."""
        turns = tuple(request_turn(row, self.media, osl=self.settings.osl) for _, row in rows)
        return Conversation(id=name, turns=turns, with_history=False)


def request_turn(row: TurnRow, media: MediaFolder, *, osl: int | None) -> Turn:
    """Return a row as a turn; `osl` is its length where it gives none."""
    return replace(
        content_turn([("", row)], media),
        role=row.role,
        max_tokens=row.max_tokens or row.output_length or osl,
        model=row.model,
        extra_body=row.extra or {},
        delay_ms=row.delay,
        timestamp_ms=row.timestamp,
    )
