"""PYTEST_DONT_REWRITE. What services say to each other. A message is of the class that its `message_type` names.

Numeric columns do not become JSON: they are `buffers`, and travel as they lie in memory.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, SkipValidation, ValidationError

from pytest_aiperf.common.error_details import ErrorDetails
from pytest_aiperf.common.errors import AiperfError, did_you_mean
from pytest_aiperf.common.models import AIPerfBaseModel

MessageTypeT = str
"""A member of `MessageType`, or what a third party calls a message of its own."""


class MessageType(enum.StrEnum):
    """The messages of this package."""

    RUN = "run"
    BEGIN = "begin"
    RESULT = "result"
    PROGRESS = "progress"
    FAILED = "failed"
    ABORT = "abort"
    STOP = "stop"


class MessageError(AiperfError):
    """What came is no message: it has no type, an unknown one, or not the fields of its type."""


class Message(AIPerfBaseModel):
    """Base of all messages. A subclass gives `message_type` a default, which no other class may have."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    message_type: MessageTypeT = Field(description="Which class the message is of.")
    buffers: SkipValidation[list[Any]] = Field(
        default_factory=list,
        exclude=True,
        repr=False,
        description="Raw columns, in the order that the fields name.",
    )
    classes: ClassVar[dict[str, type[Message]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Make the class known by its type.

        Raises:
            TypeError: another class has that type.
        """
        super().__pydantic_init_subclass__(**kwargs)
        named = cls.model_fields["message_type"].default
        if not isinstance(named, str) or named in _types_above(cls):
            return  # a base of further messages, or a variant that is told apart by nobody
        if (other := Message.classes.get(named)) is not None:
            raise TypeError(
                f"{cls.__qualname__} and {other.__qualname__} both have the message_type '{named}'"
            )
        Message.classes[str(named)] = cls

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any], buffers: Sequence[Any] = ()) -> Message:
        """Return the message of the class that the payload's `message_type` names.

        Raises:
            MessageError: there is none, it is unknown, or a field is missing or wrong.
        """
        named = payload.get("message_type")
        if not isinstance(named, str):
            raise MessageError(f"a message without message_type: it has {', '.join(payload) or 'nothing'}")
        known = Message.classes.get(named)
        if known is None:
            hint = did_you_mean(named, Message.classes)
            raise MessageError(
                f"unknown message_type {named!r}{hint}; known are {', '.join(Message.classes)}"
            )
        try:
            return known.model_validate({**payload, "buffers": list(buffers)})
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, problem["loc"])) or "the whole"
            raise MessageError(f"message {named!r}: {where}: {problem['msg']}") from None

    @classmethod
    def from_json(cls, text: str | bytes) -> Message:
        """Return the message that this JSON object is. Raises as `from_payload`."""
        import orjson

        try:
            payload = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise MessageError(f"a message that is not JSON: {error}") from None
        if not isinstance(payload, dict):
            raise MessageError(f"a message that is no object but {type(payload).__name__}")
        return cls.from_payload(payload)

    def to_payload(self) -> dict[str, Any]:
        """Return the fields, JSON-ready, without the buffers."""
        return self.model_dump(mode="json")


def _types_above(cls: type[Message]) -> set[str]:
    bases = [base for base in cls.__mro__[1:] if issubclass(base, Message)]
    return {base.model_fields["message_type"].default for base in bases if base is not Message}


class RunMessage(Message):
    """Run a plan."""

    message_type: MessageTypeT = MessageType.RUN
    plan: dict[str, Any] = Field(description="Header of the plan; its columns are the buffers.")
    together: bool = Field(
        default=False,
        description="With other processes: open the connections, say so, and begin when told to.",
    )


class BeginMessage(Message):
    """The moment at which all that run together begin."""

    message_type: MessageTypeT = MessageType.BEGIN
    at_ns: int = Field(ge=0, description="CLOCK_REALTIME, ns.")


class ProgressMessage(Message):
    """How far a run is."""

    message_type: MessageTypeT = MessageType.PROGRESS
    opened: bool = Field(default=False, description="The connections are open, and the moment is waited for.")
    sent: int = Field(default=0, ge=0, description="Requests sent so far.")
    done: int = Field(default=0, ge=0, description="Requests that have ended.")
    errors: int = Field(default=0, ge=0, description="Requests that failed.")


class ResultMessage(Message):
    """The records of a run."""

    message_type: MessageTypeT = MessageType.RESULT
    batch: dict[str, Any] = Field(description="Header of the records; their columns are the buffers.")


class FailedMessage(Message):
    """A request that failed with an error of ours; the service lives on."""

    message_type: MessageTypeT = MessageType.FAILED
    error: ErrorDetails = Field(description="What went wrong.")
    traceback: str = Field(description="Where it was raised, without secrets.")


class AbortMessage(Message):
    """End the present work early."""

    message_type: MessageTypeT = MessageType.ABORT


class StopMessage(Message):
    """End."""

    message_type: MessageTypeT = MessageType.STOP
