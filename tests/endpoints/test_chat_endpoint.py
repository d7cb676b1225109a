"""OpenAI chat completions: what is asked for, and what is read out of an answer."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from scripted_api import exchange, json_answer, sse_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.plugin.plugins import get_class

CHAT = ChatEndpoint()
REQUEST = RequestInfo(turns=[Turn(text="hello", max_tokens=5)], model="m", streaming=True, system="Be brief.")


def request(*, streaming=True, extra=None, **turn):
    return RequestInfo(turns=[Turn(text="hello", **turn)], model="m", streaming=streaming, extra=extra or {})


def chunk(finish=None, usage=None, **delta):
    message = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return message | ({"usage": usage} if usage is not None else {})


def test_it_is_what_the_registry_calls_chat():
    assert get_class("endpoint", "chat") is ChatEndpoint


def test_a_request_is_written_as_documented_and_its_stream_read():
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    answer = [
        chunk(role="assistant", content=""),
        chunk(content="Hel"),
        chunk(content="lo", finish="stop"),
        {"choices": [], "usage": usage},
    ]
    request, records = exchange("chat", REQUEST, sse_answer(answer, done=True))
    assert request.line == "POST /v1/chat/completions HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.body == (
        b'{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hello"}],'
        b'"stream":true,"max_tokens":5,"stream_options":{"include_usage":true}}'
    )
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [2]
    assert (records.input_tokens[0], records.output_tokens[0], records.cached_tokens[0]) == (9, 2, 4)


def test_a_whole_answer_is_asked_for_and_read():
    body = {
        "choices": [{"message": {"content": "hi"}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
    }
    request, records = exchange("chat", replace(REQUEST, streaming=False), json_answer(body))
    assert request.json["stream"] is False
    assert (records.content_count()[0], records.output_tokens[0]) == (1, 2)


def test_media_are_parts_behind_the_texts():
    turn = Turn(
        text="look",
        texts=["listen"],
        images=["data:image/png;base64,AA==", "http://h/i.png"],
        audios=["data:audio/mpeg;base64,BB==", "http://h/a.wav"],
        videos=["http://h/v.mp4"],
    )
    payload = CHAT.format_payload(RequestInfo(turns=[turn], model="m", streaming=False))
    assert payload["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "text", "text": "listen"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "image_url", "image_url": {"url": "http://h/i.png"}},
                {"type": "input_audio", "input_audio": {"data": "BB==", "format": "mp3"}},
                {"type": "audio_url", "audio_url": {"url": "http://h/a.wav"}},
                {"type": "video_url", "video_url": {"url": "http://h/v.mp4"}},
            ],
        }
    ]


def test_messages_that_the_data_has_stand_in_place_of_text():
    own = [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "4"},
    ]
    turns = [Turn(text="a"), Turn(raw_messages=own), Turn(raw_messages=[]), Turn(text="b")]
    payload = CHAT.format_payload(RequestInfo(turns=turns, model="m", streaming=False))
    assert payload["messages"] == [
        {"role": "user", "content": "a"},
        *own,
        {"role": "user", "content": "b"},
    ]


@pytest.mark.parametrize(
    ("own", "joined"),
    [
        ("Be kind.", "Be brief.\n\nBe kind."),
        (
            [{"type": "text", "text": "Be kind."}],
            [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        ),
        (None, "Be brief."),
    ],
)
def test_a_system_prompt_joins_the_one_that_the_data_has(own, joined):
    given = [{"role": "system", "content": own, "name": "x"}]
    before = copy.deepcopy(given)
    turns = [Turn(raw_messages=given), Turn(text="a")]
    payload = CHAT.format_payload(RequestInfo(turns=turns, model="m", streaming=False, system="Be brief."))
    assert payload["messages"][0] == {"role": "system", "content": joined, "name": "x"}
    assert len(payload["messages"]) == 2
    assert given == before


def test_the_text_of_an_answer_leaves_out_reasoning():
    stream = [
        chunk(role="assistant"),
        chunk(reasoning="hm"),
        chunk(content="a"),
        chunk(content="b"),
        {"choices": []},
    ]
    assert CHAT.text_of(stream) == "ab"
    assert CHAT.text_of([{"choices": [{"message": {"content": "ab", "reasoning": "hm"}}]}]) == "ab"
    assert CHAT.text_of([{"choices": [{"message": {"content": [{"type": "text", "text": "ab"}]}}]}]) == "ab"
    assert CHAT.text_of([{"choices": [{"message": {"content": None}}]}, 3, {"choices": [3]}]) == ""


def test_a_streamed_request_asks_for_usage():
    assert CHAT.format_payload(request(max_tokens=5)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "max_tokens": 5,
        "stream_options": {"include_usage": True},
    }


def test_a_request_that_is_not_streamed_has_no_stream_options():
    payload = CHAT.format_payload(request(streaming=False))
    assert payload["stream"] is False
    assert "stream_options" not in payload


def test_the_last_turns_body_wins_over_extra_and_extra_over_the_native_fields():
    payload = CHAT.format_payload(
        request(
            max_tokens=5, extra={"max_tokens": 6, "a": 1, "b": {"x": 1}}, extra_body={"a": 2, "b": {"y": 2}}
        )
    )
    assert (payload["max_tokens"], payload["a"], payload["b"]) == (6, 2, {"y": 2})


def test_max_tokens_and_extra_body_are_those_of_the_last_turn():
    turns = [Turn(text="a", max_tokens=1, model="old", extra_body={"x": 1}), Turn(text="b", max_tokens=2)]
    payload = CHAT.format_payload(RequestInfo(turns=turns, model="m", streaming=False))
    assert (payload["max_tokens"], payload["model"], "x" in payload) == (2, "m", False)
    assert [m["content"] for m in payload["messages"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"include_usage": False}, {"include_usage": False}),
        ({"continuous_usage_stats": True}, {"include_usage": True, "continuous_usage_stats": True}),
        (None, None),
    ],
)
def test_stream_options_that_were_given_are_kept(given, sent):
    assert CHAT.format_payload(request(extra={"stream_options": given}))["stream_options"] == sent


def test_nothing_that_was_given_is_changed():
    extra = {"stream_options": {"a": 1}, "nested": {"b": [1]}}
    body = {"nested": {"c": 2}}
    before = copy.deepcopy((extra, body))
    payload = CHAT.format_payload(request(extra=extra, extra_body=body))
    payload["stream_options"]["z"] = 1
    assert (extra, body) == before


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"content": " "},
        {"reasoning_content": "x"},
        {"reasoning": "x"},
        {"content": "", "reasoning": "x"},
        {"content": None, "tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
    ],
)
def test_text_reasoning_and_tool_calls_are_content(delta):
    assert CHAT.read_stream([chunk(role="assistant"), chunk(**delta)], done=True).content == [1]


@pytest.mark.parametrize(
    "message",
    [
        chunk(role="assistant"),
        chunk(content=""),
        chunk(content=None, tool_calls=[]),
        chunk(),
        {"choices": [], "usage": {"completion_tokens": 3}},
        {"choices": [{"index": 0, "delta": None}]},
        {},
    ],
)
def test_role_empty_and_usage_messages_are_not_content(message):
    facts = CHAT.read_stream([message], done=True)
    assert (facts.content, facts.error_message) == ([], None)


def test_a_finish_reason_finishes_a_stream_with_or_without_done():
    for done in (True, False):
        assert CHAT.read_stream([chunk(content="a", finish="length")], done=done).finished


def test_done_alone_does_not_finish_the_stream_of_a_server_that_knows_finish_reasons():
    # llama.cpp's server ends a stream so when another request has interrupted it.
    assert not CHAT.read_stream([chunk(content="a")], done=True).finished
    assert not CHAT.read_stream([chunk(content="a")], done=False).finished


def test_done_finishes_the_stream_of_a_server_that_knows_no_finish_reasons():
    bare = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
    assert CHAT.read_stream([bare], done=True).finished
    assert not CHAT.read_stream([bare], done=False).finished


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        ({"message": "no", "code": 503}, "no", 503),
        ({"message": "no", "code": "overloaded"}, "no", None),
        ({"type": "server_error"}, "server_error", None),
        ("no", "no", None),
    ],
)
def test_an_error_is_found_before_and_after_content(error, message, code):
    for messages in (
        [{"error": error}],
        [chunk(content="a"), {"error": error}],
        [chunk(content="a") | {"error": error}],
    ):
        facts = CHAT.read_stream(messages, done=True)
        assert (facts.error_message, facts.error_code) == (message, code)


def test_an_error_object_of_the_bare_kind_is_found():
    facts = CHAT.read_stream([{"object": "error", "message": "no", "code": 400}], done=False)
    assert (facts.error_message, facts.error_code) == ("no", 400)


def test_usage_is_that_of_the_last_message_that_has_one():
    first = {"prompt_tokens": 7, "completion_tokens": 1}
    last = {"prompt_tokens": 7, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4}}
    facts = CHAT.read_stream(
        [chunk(content="a", usage=first), chunk(content="b", usage=last), chunk(finish="stop")], done=True
    )
    assert (facts.input_tokens, facts.output_tokens, facts.reasoning_tokens, facts.first_tokens) == (
        7,
        9,
        4,
        1,
    )


@pytest.mark.parametrize("value", [None, "3", 3.5, -1, True, 2**40])
def test_counts_that_are_none_are_absent(value):
    facts = CHAT.read_stream([{"choices": [], "usage": {"completion_tokens": value}}], done=True)
    assert facts.output_tokens is None


@pytest.mark.parametrize(
    "odd", [3, "x", [], None, {"choices": [3]}, {"choices": {"a": 1}}, {"choices": [{"delta": 3}]}]
)
def test_a_message_of_another_shape_is_named(odd):
    facts = CHAT.read_stream([chunk(content="a"), odd], done=True)
    assert facts.error_message.startswith("message 2 is not a chat completion chunk")
    assert facts.content == [0]


def test_a_whole_answer_has_one_content_and_is_finished():
    body = {
        "choices": [{"message": {"content": "hi"}}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1},
    }
    facts = CHAT.read_response(body)
    assert (facts.content, facts.finished, facts.input_tokens, facts.output_tokens) == ([0], True, 2, 1)


@pytest.mark.parametrize(
    "body", [3, [], {}, {"choices": []}, {"choices": [{}]}, {"error": {"message": "no"}}]
)
def test_a_whole_answer_of_another_shape_is_an_error(body):
    facts = CHAT.read_response(body)
    assert facts.error_message
    assert facts.content == []
