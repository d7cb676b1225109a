"""What users add to bodies, over all endpoints of text: rules R1 to R10 of the contract."""

from __future__ import annotations

import copy

import pytest
from scripted_api import endpoint_of

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, RequestInfo
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint

TEMPLATE = '{"prompt": {{ text|tojson }}, "n": {{ max_tokens|tojson }}, "model": {{ model|tojson }}}'
STREAMING = ["chat", "completions", "responses", "messages"]
TEXT = [*STREAMING, "chat_embeddings", "template"]
"""Those that put all additions beside their native fields."""


def body_of(name, *turns, streaming=False, extra=None):
    extra = ({"payload_template": TEMPLATE} if name == "template" else {}) | (extra or {})
    endpoint = endpoint_of(name, streaming=streaming, extra=extra)
    return endpoint.format_payload(
        RequestInfo(turns=turns or [Turn(text="hi")], model="m", streaming=streaming, extra=extra)
    )


@pytest.mark.parametrize("name", TEXT)
def test_r1_native_fields_then_extra_then_the_turns_own_the_last_one_wins(name):
    """R1: the merge is shallow."""
    turn = Turn(text="hi", extra_body={"b": 2, "c": {"z": 1}})
    body = body_of(name, turn, extra={"model": "x", "a": 1, "b": 1, "c": {"y": 1}})
    assert (body["model"], body["a"], body["b"], body["c"]) == ("x", 1, 2, {"z": 1})
    assert body_of(name, Turn(text="hi", extra_body={"model": "y"}), extra={"model": "x"})["model"] == "y"
    assert not {"response_field", "payload_template"} & body.keys()


@pytest.mark.parametrize("name", ["chat", "responses", "messages", "chat_embeddings", "template"])
def test_r2_extra_length_and_model_are_those_of_the_last_turn_alone(name):
    """R2: what an earlier turn asked for is no business of a later one."""
    turns = [
        Turn(text="a", max_tokens=7, model="old", extra_body={"a": 1}),
        Turn(text="b", role="assistant"),
        Turn(text="c"),
    ]
    body = body_of(name, *turns)
    assert body["model"] == "m"
    assert "a" not in body
    assert 7 not in body.values()
    body = body_of(name, *turns[:2], Turn(text="c", model="new", max_tokens=8, extra_body={"a": 2}))
    assert (body["model"], body["a"]) == ("new", 2)
    assert 8 in body.values() or name == "chat_embeddings"


@pytest.mark.parametrize("name", ["chat", "responses", "messages"])
def test_r3_tools_are_looked_up_from_the_end(name):
    """R3: tools stay until a turn names others; an empty list is others."""
    one, two = [{"name": "one"}], [{"name": "two"}]
    turns = [Turn(text="a", raw_tools=one), Turn(text="b", raw_tools=two), Turn(text="c")]
    assert body_of(name, *turns)["tools"] == two
    assert body_of(name, *turns[:1], Turn(text="d"))["tools"] == one
    assert body_of(name, *turns, Turn(text="d", raw_tools=[]))["tools"] == []
    assert "tools" not in body_of(name, Turn(text="a"))


def test_r5_text_generation_has_a_turns_extra_at_the_top_and_extra_inputs_among_its_parameters():
    """R5."""
    turn = Turn(text="hi", max_tokens=4, extra_body={"seed": 1})
    assert body_of("huggingface_generate", turn, extra={"temperature": 0.5, "details": False}) == {
        "inputs": "hi",
        "parameters": {"details": False, "max_new_tokens": 4, "temperature": 0.5},
        "seed": 1,
    }
    whole = Turn(text="hi", max_tokens=4, extra_body={"parameters": {"top_k": 3}})
    assert body_of("huggingface_generate", whole)["parameters"] == {"top_k": 3}


class _Upload(ChatEndpoint):
    own_fields = frozenset({"model", "image"})


def test_r6_fields_of_its_own_no_addition_replaces():
    """R6, by the rule that the endpoints of files use."""
    turn = Turn(text="hi", extra_body={"image": "y", "a": 1})
    body = _Upload().format_payload(
        RequestInfo(turns=[turn], model="m", streaming=False, extra={"model": "x", "image": "z"})
    )
    assert (body["model"], body["a"]) == ("m", 1)
    assert "image" not in body


@pytest.mark.parametrize("payload", [{"b": 1, "a": [1.5, "é<&>"]}, [1, 2], "text"])
@pytest.mark.parametrize("name", ["raw", "chat", "messages"])
def test_r7_a_raw_payload_is_sent_as_it_is(name, payload):
    """R7: by whatever endpoint type; nothing is added, not even the user's extra."""
    turn = Turn(raw_payload=payload, extra_body={"x": 1}, max_tokens=3)
    request = RequestInfo(turns=[turn], model="m", streaming=False, extra={"y": 1})
    endpoint = endpoint_of(name, extra={"y": 1})
    expected = {list: b"[1,2]", str: b'"text"', dict: '{"b":1,"a":[1.5,"é<&>"]}'.encode()}
    assert endpoint.body_of(request) == expected[type(payload)]


@pytest.mark.parametrize("name", ["chat", "completions"])
def test_r8_usage_is_asked_for_by_default_on_a_copy(name):
    """R8: what the user says about it stands."""
    given = {"continuous_usage_stats": True}
    extra = {"stream_options": given}
    body = body_of(name, streaming=True, extra=extra)
    assert body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert given == {"continuous_usage_stats": True}
    body = body_of(name, streaming=True, extra={"stream_options": {"include_usage": False}})
    assert body["stream_options"] == {"include_usage": False}
    assert "stream_options" not in body_of(name, streaming=False)


@pytest.mark.parametrize("name", [*TEXT, "huggingface_generate"])
def test_r9_nothing_given_is_ever_mutated(name):
    """R9."""
    extra = {"stream_options": {"a": 1}, "metadata": {"b": [1]}}
    turn = Turn(text="hi", max_tokens=3, extra_body={"metadata": {"c": 2}}, raw_tools=[{"name": "t"}])
    before = copy.deepcopy((extra, turn))
    body = body_of(name, turn, streaming=name != "chat_embeddings", extra=extra)
    body["another"] = 1
    assert (extra, turn) == before


@pytest.mark.parametrize("where", ["extra", "extra_body"])
@pytest.mark.parametrize("name", [*STREAMING, "huggingface_generate", "template"])
@pytest.mark.parametrize("streaming", [True, False])
def test_r10_an_addition_that_turns_streaming_off_or_on_is_refused_before_anything_is_sent(
    name, where, streaming
):
    """R10."""
    added = {"stream": not streaming}
    turn = Turn(text="hi", extra_body=added if where == "extra_body" else {})
    with pytest.raises(ConfigurationError, match=f"sets stream to {not streaming}, but the load is"):
        body_of(name, turn, streaming=streaming, extra=added if where == "extra" else None)
    body_of(name, Turn(text="hi", extra_body={"stream": streaming}), streaming=streaming)


@pytest.mark.parametrize("name", ["raw", "chat"])
def test_r10_a_raw_payload_that_turns_streaming_off_is_refused_too(name):
    """R10, for bodies that the data has."""
    endpoint: BaseEndpoint = endpoint_of(name, streaming=True)
    request = RequestInfo(turns=[Turn(raw_payload={"stream": False})], model="m", streaming=True)
    with pytest.raises(ConfigurationError, match="--aiperf-no-streaming"):
        endpoint.body_of(request)


@pytest.mark.parametrize(
    ("name", "turn", "what"),
    [
        ("completions", Turn(text="a", images=["http://h/i.png"]), "1 images"),
        ("huggingface_generate", Turn(text="a", audios=["http://h/a.wav"]), "1 audios"),
        ("messages", Turn(text="a", audios=["http://h/a.wav"]), "1 audios"),
        ("messages", Turn(text="a", videos=["http://h/v.mp4"]), "1 videos"),
        ("responses", Turn(text="a", videos=["http://h/v.mp4"]), "1 videos"),
        ("completions", Turn(), "no text"),
        ("completions", Turn(raw_messages=[{"role": "user", "content": "a"}]), "holds messages"),
    ],
)
def test_what_an_api_does_not_take_is_refused(name, turn, what):
    with pytest.raises(ConfigurationError, match=what):
        body_of(name, turn)


@pytest.mark.parametrize("name", ["completions", "huggingface_generate"])
def test_an_api_of_prompts_refuses_a_conversation(name):
    with pytest.raises(ConfigurationError, match=f"2 turns, and the endpoint type '{name}' takes one prompt"):
        body_of(name, Turn(text="a"), Turn(text="b"))
