"""Traces in Mooncake's form: when requests came, how long they were, and which blocks of their prompts were shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, model_validator

from pytest_aiperf.common.conversation import Conversation, Turn
from pytest_aiperf.dataset.content import CONTENT_KEYS
from pytest_aiperf.dataset.problems import Problems
from pytest_aiperf.dataset.row import Extra, GivenAnswer, Messages, Milliseconds, Row, SessionId, TokenCount
from pytest_aiperf.dataset.row_loader import Place, RowLoader
from pytest_aiperf.dataset.trace_text import TraceText

_INPUTS: Final = ("input_length", "text_input", "messages", "payload")
_MADE, _MESSAGES, _PAYLOAD = range(3)
_OWN_KEYS: Final = frozenset({"input_length", "text_input", "hash_ids", "payload"})
_FURTHER_KEYS: Final = frozenset({"timestamp", "delay", "session_id", "output_length", "extra", "expected"})


class MooncakeRow(Row):
    """One request: its length, or what it says."""

    session_id: SessionId = Field(
        default=None, description="Rows of one session are turns of one conversation."
    )
    timestamp: Milliseconds | None = Field(default=None, description="When it is sent, ms from the first.")
    delay: Milliseconds | None = Field(default=None, description="Pause after the turn before, ms.")
    input_length: TokenCount | None = Field(default=None, description="Length of the prompt, in tokens.")
    output_length: TokenCount | None = Field(default=None, description="Length of the answer, in tokens.")
    hash_ids: list[int] | None = Field(
        default=None, description="Blocks of the prompt: the same id is the same text."
    )
    text_input: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="The prompt itself."
    )
    messages: Messages | None = Field(default=None, description="The messages themselves.")
    tools: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = Field(
        default=None, description="Tools that the model may call."
    )
    payload: Annotated[dict[str, Any], Field(min_length=1)] | None = Field(
        default=None, description="The whole body."
    )
    extra: Extra = Field(default=None, description="Further fields of the request's body.")
    expected: GivenAnswer = Field(default=None, description="The right answer.")

    @model_validator(mode="after")
    def _say_one_thing(self) -> MooncakeRow:
        given = [name for name in _INPUTS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} together; give one of them")
        if self.hash_ids and self.input_length is None:
            raise ValueError("'hash_ids' without 'input_length'; give both")
        if self.tools and self.messages is None:
            raise ValueError("'tools' without 'messages'; give both")
        return self


class MooncakeTraceLoader(RowLoader[MooncakeRow]):
    """A trace; lengths that a row lacks are those of the settings."""

    model = MooncakeRow
    example: ClassVar[str] = (
        '{"timestamp": 1000, "input_length": 600, "output_length": 40, "hash_ids": [1, 2]}'
    )

    @classmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Tell by lengths or hash ids, or a time without any content."""
        if (
            path.is_dir()
            or not first
            or "chat_id" in first
            or CONTENT_KEYS & first.keys()
            or "turns" in first
        ):
            return False
        return bool(
            _OWN_KEYS & first.keys() or _FURTHER_KEYS & first.keys() or first.keys() <= {"messages", "tools"}
        )

    @cached_property
    def text(self) -> TraceText:
        """What makes the prompts."""
        size = self.settings.block_size or self.default_block_size
        return TraceText(seed=self.settings.seed, block_size=size)

    def check(self, row: MooncakeRow, place: Place, problems: Problems) -> None:
        """Note hash ids that do not fit the length."""
        why = self.text.misfit(row.input_length or self.settings.isl, row.hash_ids or ())
        if why is not None:
            problems.malformed(f"{place.where}, hash_ids", why)

    def tag_of(self, row: MooncakeRow) -> int:
        """Return whether a row is made up here, has messages or a whole body."""
        return _PAYLOAD if row.payload is not None else _MESSAGES if row.messages is not None else _MADE

    def misfit(self, tags: Sequence[int]) -> str | None:
        """Return that some rows go on from the others and some do not."""
        mixed = len(set(tags)) > 1
        return (
            "one session with messages, payloads or lengths mixed; give each its own session_id"
            if mixed
            else None
        )

    def conversation(self, name: str, rows: Sequence[tuple[int, MooncakeRow]]) -> Conversation:
        """Return the requests of a session: rows with messages or a body stand for themselves."""
        whole = self.tag_of(rows[0][1]) != _MADE
        return Conversation(id=name, turns=tuple(self._turn(*row) for row in rows), with_history=not whole)

    def _turn(self, number: int, row: MooncakeRow) -> Turn:
        made = self.tag_of(row) == _MADE and row.text_input is None
        length = row.input_length or self.settings.isl
        text = (
            self.text.prompt(number, length=length, hash_ids=row.hash_ids or ()) if made else row.text_input
        )
        return Turn(
            text=text or "",
            max_tokens=row.output_length or self.settings.osl,
            raw_messages=row.messages,
            raw_tools=row.tools,
            raw_payload=row.payload,
            extra_body=row.extra or {},
            delay_ms=row.delay,
            timestamp_ms=row.timestamp,
            expected=row.expected.to_expected() if row.expected else None,
        )
