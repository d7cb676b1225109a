"""Rows of a graph of conversations: no key but the known ones, so that a misspelt one does not go unnoticed."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, model_validator

from pytest_aiperf.dataset.row import Extra, GivenAnswer, Messages, Milliseconds, StrictRow, TokenCount

_Name = Annotated[str, Field(min_length=1)]
ISOLATED: Final = "message_array_with_responses"
CONTEXT_MODES: Final = ("deltas_without_responses", ISOLATED)
NOT_BUILT: Final = (
    "orchestrator",
    "spawns",
    "rounds",
    "think_time_ms",
    "think_time_sigma",
    "think_time_min_ms",
    "think_time_max_ms",
)
"""Keys of AIPerf's conversations that send nothing themselves."""


class DagFork(StrictRow):
    """A child that goes on from the history of its parent."""

    child: _Name = Field(description="Conversation that goes on from here.")
    background: bool = Field(default=False, description="The parent goes on with its own turns.")


class DagSpawn(StrictRow):
    """Children that begin afresh."""

    children: Annotated[
        list[_Name], Field(description="Conversations that begin afresh after this turn.", min_length=1)
    ]
    join_at: int | None = Field(
        default=None, description="Turn of the parent that waits for their end, from 0; default: the next."
    )


def _as_forks(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [{"child": item} if isinstance(item, str) else item for item in value]


def _as_spawns(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [{"children": [item]} if isinstance(item, str) else item for item in value]


class DagTurn(StrictRow):
    """One request: its own messages, and what begins after it."""

    messages: Messages = Field(description="Messages that this turn adds to the conversation.")
    model: str | None = Field(default=None, description="Model of this request.")
    max_tokens: TokenCount | None = Field(default=None, description="Output tokens that are asked for.")
    tools: list[dict[str, Any]] | None = Field(
        default=None, description="Tools that the model may call, from this turn on."
    )
    extra: Extra = Field(default=None, description="Further fields of the request's body.")
    expected: GivenAnswer = Field(default=None, description="The right answer.")
    forks: Annotated[list[DagFork], BeforeValidator(_as_forks)] = Field(
        description="Conversations that go on from the history of this one.", default_factory=list
    )
    spawns: Annotated[list[DagSpawn], BeforeValidator(_as_spawns)] = Field(
        description="Conversations that begin afresh.", default_factory=list
    )
    delay: Milliseconds | None = Field(default=None, description="Pause before this turn, ms.")

    @model_validator(mode="after")
    def _name_children_once(self) -> DagTurn:
        for kind, names in (
            ("forks", [each.child for each in self.forks]),
            ("spawns", [name for each in self.spawns for name in each.children]),
        ):
            twice = next((name for name, count in Counter(names).items() if count > 1), None)
            if twice is not None:
                raise ValueError(f"{kind} name {twice!r} twice; should once")
        return self


class DagRow(StrictRow):
    """A conversation of a graph."""

    session_id: _Name = Field(description="Name of the conversation.")
    turns: list[DagTurn] = Field(description="Its requests.", default_factory=list)
    context_mode: str | None = Field(default=None, description="Whether a turn carries the turns before it.")
    pre_session_spawns: list[_Name] = Field(
        description="Conversations that begin with this one.", default_factory=list
    )
    orchestrator: bool = Field(default=False, description="Not supported.")
    spawns: Any = Field(default=None, description="Not supported.")
    rounds: Any = Field(default=None, description="Not supported.")
    think_time_ms: Any = Field(default=None, description="Not supported.")
    think_time_sigma: Any = Field(default=None, description="Not supported.")
    think_time_min_ms: Any = Field(default=None, description="Not supported.")
    think_time_max_ms: Any = Field(default=None, description="Not supported.")

    @model_validator(mode="after")
    def _have_turns(self) -> DagRow:
        if not self.turns and not self.not_built():
            raise ValueError("'turns' is empty; should have a turn")
        return self

    def not_built(self) -> list[str]:
        """Return the keys that it has and that are not supported."""
        return [name for name in NOT_BUILT if getattr(self, name)]
