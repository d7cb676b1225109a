"""PYTEST_DONT_REWRITE. What an endpoint is to the rest: it formats requests and reads answers; it does no I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One request of a conversation, or an answer before it, not yet formatted for an API."""

    text: str
    role: str = "user"
    """``user``, or ``assistant`` for an answer."""
    max_tokens: int | None = None
    model: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of this request's body; merged last, shallowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo:
    """What a formatter needs: the conversation so far and the endpoint's own settings."""

    turns: Sequence[Turn]
    model: str
    streaming: bool
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields that the user adds to every body (``--aiperf-extra-inputs``)."""


class ResponseFacts(NamedTuple):
    """What one complete answer says. `content` holds indices into the messages that were read.

    A tuple, because one is made for every request: a frozen dataclass takes 2 µs to make, this 0.4.
    """

    content: Sequence[int]
    """Indices of the messages whose text, reasoning or tool call is not empty, in order."""
    finished: bool
    """The server said that the answer is complete (`finish_reason`, ``[DONE]``)."""
    error_message: str | None = None
    """Text of an error object in the answer, also after content."""
    error_code: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    """Prompt tokens that came out of the server's prefix cache."""
    first_output: int | None = 0
    """Which entry of `content` is the first that is not reasoning; None where all is, or nothing came."""
    first_tokens: int = 1
    """Tokens of the first content message, where the server counts them message by message."""


class BaseEndpoint(ABC):
    """Formats a request's body and reads its answer. Stateless; it never changes what it is given."""

    path: ClassVar[str]
    """Default path below the endpoint's URL."""
    token_name: ClassVar[str] = ""
    """Key of the string that holds a streamed message's token, or empty. Two messages that differ in that string
    alone, neither being empty, mean the same to `read_stream`; so do two that differ in a string named ``id``.
    """
    needs_finish: ClassVar[bool] = True
    """A stream that ends without saying so is truncated."""

    @abstractmethod
    def format_payload(self, request: RequestInfo) -> dict[str, Any]:
        """Return the JSON body of this request."""

    @abstractmethod
    def read_stream(self, messages: Sequence[Any], *, done: bool) -> ResponseFacts:
        """Read the decoded messages of a complete stream; `done` tells that it ended with ``[DONE]``."""

    @abstractmethod
    def read_response(self, body: Any) -> ResponseFacts:
        """Read the decoded body of an answer that was not streamed; its one content index is 0."""
