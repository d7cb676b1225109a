"""Messages (systems.md E1 to E3)."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import Field, ValidationError

from pytest_aiperf.common.error_details import ErrorDetails
from pytest_aiperf.common.messages import (
    BeginMessage,
    Message,
    MessageError,
    MessageType,
    ResultMessage,
    RunMessage,
)


def test_json_becomes_the_class_that_its_type_names():
    """E1."""
    message = Message.from_json(b'{"message_type": "begin", "at_ns": 5}')
    assert message == BeginMessage(at_ns=5)
    assert type(message) is BeginMessage


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{}", "a message without message_type: it has nothing"),
        (b'{"at_ns": 5}', "a message without message_type: it has at_ns"),
        (b'{"message_type": 3}', "without message_type"),
        (
            b'{"message_type": "begn"}',
            r"unknown message_type 'begn' \(did you mean 'begin'\?\); known are run, ",
        ),
        (b"[1]", "no object but list"),
        (b"{", "not JSON"),
        (b'{"message_type": "begin"}', "message 'begin': at_ns: Field required"),
        (b'{"message_type": "begin", "at_ns": -1}', "message 'begin': at_ns: .* greater than or equal to 0"),
        (b'{"message_type": "begin", "at_ns": 1, "at_ms": 1}', "unknown key 'at_ms'"),
    ],
)
def test_what_is_no_message_is_told_clearly(text, words):
    """E2."""
    with pytest.raises(MessageError, match=words):
        Message.from_json(text)


def test_a_type_has_one_class():
    """E3."""
    with pytest.raises(TypeError, match="Double and BeginMessage both have the message_type 'begin'"):

        class Double(Message):
            message_type: str = MessageType.BEGIN

    assert Message.classes["begin"] is BeginMessage


def test_a_third_party_has_messages_of_its_own():
    class Told(Message):
        message_type: str = "acme.told"
        words: str = Field(description="What was told.")

    try:
        assert Message.from_payload(Told(words="a").to_payload()) == Told(words="a")
    finally:
        del Message.classes["acme.told"]


def test_columns_are_no_json_and_come_back_as_they_are():
    """E, its last line: raw buffers."""
    column = np.arange(3)
    message = ResultMessage(batch={"n": 3}, buffers=[column])
    assert "buffers" not in message.to_payload()
    assert "buffers" not in message.model_dump_json()
    (back,) = Message.from_payload(message.to_payload(), [column]).buffers
    assert back is column


def test_every_message_of_ours_comes_back_the_same():
    """D5."""
    for named in MessageType:
        fields = {
            name: _example(f) for name, f in Message.classes[named].model_fields.items() if f.is_required()
        }
        message = Message.classes[named](**fields)
        assert Message.from_payload(message.to_payload()) == message
        own = {name: field for name, field in type(message).model_fields.items() if name != "message_type"}
        assert all(field.description for field in own.values())


def _example(field):
    examples = {int: 1, str: "a", ErrorDetails: ErrorDetails(type="E", message="m")}
    return examples.get(field.annotation, {"a": 1})


def test_a_message_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        RunMessage(plan={}).together = True
