"""Conversations that a run draws from, and what a schedule has to know of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pytest_aiperf.common.conversation import Conversation
from pytest_aiperf.measure.steps import Step, steps_of


class Outline(NamedTuple):
    """What a schedule has to know of a conversation with its branches. Shapes: ``(size,)`` unless stated."""

    size: int
    """Requests."""
    members: int
    """Conversations: itself and its branches."""
    after_counts: Sequence[int]
    """How many others each request follows."""
    after: Sequence[int]
    """``(sum(after_counts),)``: which, counted within the tree."""
    member: Sequence[int]
    number: Sequence[int]
    """Requests that its own conversation has before it."""
    delay_ms: Sequence[float]
    """0 where the data has none."""
    timestamp_ms: Sequence[float | None]


class Drawn(NamedTuple):
    """One conversation that was drawn; the text is made, or read, again when it is wanted."""

    stock: Stock
    at: int
    outline: Outline

    @property
    def name(self) -> str:
        """Its id in the data."""
        return self.stock[self.at].id

    @property
    def steps(self) -> Sequence[Step]:
        """Its requests."""
        return steps_of(self.stock[self.at])


class Stock:
    """Conversations that are drawn from.

    Each is wanted twice, for the schedule and for the bodies. Making one up takes longer than formatting it, so the
    first ones are kept until they take up some memory; conversations of a file, which may be large, are read again.
    Where all are single requests without a time, the schedule does without them.
    """

    def __init__(
        self, conversations: Sequence[Conversation], *, kept_characters: int = 0, single: bool = False
    ) -> None:
        self._conversations = conversations
        self._single = single
        self._kept: dict[int, Conversation] = {}
        self._room = kept_characters
        self._drawn: dict[int, Drawn] = {}

    def __len__(self) -> int:
        return len(self._conversations)

    def __getitem__(self, index: int) -> Conversation:
        found = self._kept.get(index)
        if found is None:
            found = self._conversations[index]
            if self._room > 0:
                self._room -= _characters(found)
                self._kept[index] = found
        return found

    def draw(self, index: int) -> Drawn:
        """Return the conversation of this index."""
        found = self._drawn.get(index)
        if found is None:
            outline = _ALONE if self._single else _outline(steps_of(self[index]))
            found = self._drawn[index] = Drawn(self, index, outline)
        return found


def _outline(steps: Sequence[Step]) -> Outline:
    if len(steps) == 1 and steps[0].turn.timestamp_ms is None:
        return _ALONE
    return Outline(
        size=len(steps),
        members=1 + max([step.member for step in steps]),
        after_counts=[len(step.after) for step in steps],
        after=[one for step in steps for one in step.after],
        member=[step.member for step in steps],
        number=[step.number for step in steps],
        delay_ms=[step.turn.delay_ms or 0.0 for step in steps],
        timestamp_ms=[step.turn.timestamp_ms for step in steps],
    )


_ALONE: Final = Outline(
    size=1,
    members=1,
    after_counts=(0,),
    after=(),
    member=(0,),
    number=(0,),
    delay_ms=(0.0,),
    timestamp_ms=(None,),
)


def _characters(conversation: Conversation) -> int:
    count = 0
    for turn in conversation.turns:
        count += len(turn.text)
        for further in (turn.texts, turn.images, turn.audios, turn.videos):
            if further:
                count += sum(map(len, further))
    return count
