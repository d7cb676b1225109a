"""PYTEST_DONT_REWRITE. What is asked, before any API's format: turns, conversations, and their branches.

Data files and made-up prompts both become these; endpoints write them down in their API's way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Grader = Literal["exact", "regex", "choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a right answer is."""

    answer: str
    """The text, the regular expression, or the letter of the choice."""
    grader: Grader = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One request of a conversation, or an answer before it, not yet formatted for an API."""

    text: str = ""
    """The prompt; of a ranking the query."""
    texts: Sequence[str] = ()
    """Further texts: the other inputs of a batch, the passages of a ranking."""
    images: Sequence[str] = ()
    """URLs, ``data:`` ones too."""
    audios: Sequence[str] = ()
    """URLs, ``data:audio/wav;base64,…`` ones too."""
    videos: Sequence[str] = ()
    """URLs, ``data:`` ones too."""
    role: str = "user"
    """``user``, or ``assistant`` for an answer."""
    max_tokens: int | None = None
    model: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of this request's body; merged last, shallowly."""
    raw_messages: Sequence[Mapping[str, Any]] | None = None
    """Messages as the data has them, in place of text and media."""
    raw_tools: Sequence[Mapping[str, Any]] | None = None
    """Tools that the model may call, from this turn on."""
    raw_payload: Any = None
    """The whole body as the data has it."""
    delay_ms: float | None = None
    """Pause after the turn before; None: as configured."""
    timestamp_ms: float | None = None
    """When it is sent, in a fixed schedule."""
    expected: Expected | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Turns that are sent one after the other."""

    id: str
    turns: tuple[Turn, ...]
    """Requests, and answers of the data between them (`role` is ``assistant``): those are sent as history only."""
    system: str | None = None
    branches: tuple[Branch, ...] = ()
    with_history: bool = True
    """Each request carries the turns before it. False: each stands for itself, and the order is all they share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A conversation that begins where a turn of another one has ended."""

    conversation: Conversation
    after_turn: int
    """Index into the parent's turns; -1: it begins with the parent."""
    inherits: bool
    """FORK: it goes on from the parent's history. Else SPAWN: it has none."""
    joins_turn: int | None = None
    """The parent's turn that waits for its end; None: nothing does."""
