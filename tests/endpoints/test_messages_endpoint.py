"""Anthropic messages: what is asked for, and what is read out of an answer."""

from __future__ import annotations

import pytest
from scripted_api import ScriptedApi, endpoint_of, exchange, json_answer, sse_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.endpoints.base_endpoint import RequestInfo
from pytest_aiperf.measure.target import find_target

MESSAGES = endpoint_of("messages")


def request(streaming=True, **given):
    turn = Turn(**({"text": "Hello", "max_tokens": 256} | given))
    return RequestInfo(turns=[turn], model="m", streaming=streaming, system="Be brief.")


def delta(kind, name, text, index=0):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: text}}


def text(piece):
    return delta("text_delta", "text", piece)


def block(index=0, **fields):
    return {"type": "content_block_start", "index": index, "content_block": fields}


START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "m",
        "stop_reason": None,
        "usage": {
            "input_tokens": 25,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 100,
            "output_tokens": 1,
        },
    },
}
TEXT = block(type="text", text="")
END = [
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {
            "input_tokens": None,
            "output_tokens": 15,
            "output_tokens_details": {"thinking_tokens": 6},
        },
    },
    {"type": "message_stop"},
]
STREAM = [START, TEXT, {"type": "ping"}, text("Hello"), text("!"), *END]
WHOLE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "Hello!"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 12, "output_tokens": 6, "cache_read_input_tokens": 0},
}


def test_a_request_is_written_as_documented_and_its_stream_read(monkeypatch):
    monkeypatch.setenv("AIPERF_API_KEY", "sk-ant-1")
    sent, records = exchange("messages", request(), sse_answer(STREAM, events=True))
    assert sent.line == "POST /v1/messages HTTP/1.1"
    assert (sent.headers["x-api-key"], sent.headers["anthropic-version"]) == ("sk-ant-1", "2023-06-01")
    assert sent.headers["content-type"] == "application/json"
    assert "authorization" not in sent.headers
    assert sent.body == (
        b'{"model":"m","max_tokens":256,"messages":[{"role":"user","content":"Hello"}],"stream":true,'
        b'"system":"Be brief."}'
    )
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [2]
    assert MESSAGES.text_of(STREAM) == "Hello!"


def test_usage_comes_in_two_parts_and_the_prompt_counts_what_the_cache_had():
    facts = MESSAGES.read_stream(STREAM, done=False)
    assert (facts.input_tokens, facts.cached_tokens) == (25 + 5 + 100, 100)
    assert (facts.output_tokens, facts.reasoning_tokens) == (15, 6)


def test_a_whole_answer_is_read():
    sent, records = exchange("messages", request(streaming=False), json_answer(WHOLE))
    assert sent.json["stream"] is False
    assert records.outcome.tolist() == [Outcome.OK]
    assert (records.content_count()[0], records.input_tokens[0], records.output_tokens[0]) == (1, 12, 6)
    assert MESSAGES.text_of([WHOLE]) == "Hello!"


def test_a_version_that_the_user_gives_wins():
    sent = exchange(
        "messages", request(streaming=False), json_answer(WHOLE), headers={"Anthropic-Version": "2099-01-01"}
    ).request
    assert {name.lower(): value for name, value in sent.headers.items()}["anthropic-version"] == "2099-01-01"


def test_the_server_is_asked_for_its_model_in_the_way_of_the_api(monkeypatch):
    monkeypatch.setenv("AIPERF_API_KEY", "sk-ant-1")
    with ScriptedApi(json_answer({"data": [{"id": "claude"}]})) as api:
        endpoint = {"url": api.url, "type": "messages"}
        assert find_target(AIPerfConfig.model_validate({"endpoint": endpoint})).model == "claude"
    headers = {name.lower(): value for name, value in api.requests[0].headers.items()}
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("sk-ant-1", "2023-06-01")


def test_a_request_without_a_length_has_one_because_the_api_wants_it():
    turn = Turn(text="a")
    payload = MESSAGES.format_payload(RequestInfo(turns=[turn], model="m", streaming=False))
    assert payload["max_tokens"] == 1024
    assert "system" not in payload


def test_images_are_blocks_by_url_or_by_data():
    turn = Turn(text="what?", images=["http://h/i.png", "data:image/jpeg;base64,AA=="])
    payload = MESSAGES.format_payload(RequestInfo(turns=[turn], model="m", streaming=False))
    assert payload["messages"][0]["content"] == [
        {"type": "text", "text": "what?"},
        {"type": "image", "source": {"type": "url", "url": "http://h/i.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA=="}},
    ]


def test_thinking_is_content_and_no_output_and_a_signature_is_neither():
    stream = [
        START,
        block(type="thinking", thinking="", signature=""),
        delta("thinking_delta", "thinking", "hm"),
        delta("signature_delta", "signature", "EqQ"),
        block(1, type="redacted_thinking", data="xyz"),
        block(2, type="text", text=""),
        text("a"),
        *END,
    ]
    facts = MESSAGES.read_stream(stream, done=False)
    assert (facts.content, facts.first_output) == ([2, 4, 6], 2)
    assert MESSAGES.read_stream(stream[:5], done=False).first_output is None
    assert MESSAGES.text_of(stream) == "a"


def test_a_call_of_a_tool_is_content_from_its_name_on():
    stream = [
        START,
        block(type="tool_use", id="toolu_1", name="get_weather", input={}),
        delta("input_json_delta", "partial_json", ""),
        delta("input_json_delta", "partial_json", '{"location"'),
        *END,
    ]
    facts = MESSAGES.read_stream(stream, done=False)
    assert (facts.content, facts.first_output) == ([1, 3], 0)


def test_a_stream_without_its_end_is_truncated():
    records = exchange("messages", request(), sse_answer(STREAM[:5], events=True)).records
    assert records.outcome.tolist() == [Outcome.TRUNCATED]


@pytest.mark.parametrize("end", [END[1], END[2]])
def test_either_sign_of_its_end_finishes_a_stream(end):
    assert MESSAGES.read_stream([*STREAM[:5], end], done=False).finished


@pytest.mark.parametrize("before", [[], STREAM[:4]])
def test_an_error_in_a_stream_fails_it(before):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    records = exchange("messages", request(), sse_answer([*before, error], events=True)).records
    assert records.outcome.tolist() == [Outcome.ERROR]
    assert "Overloaded" in records.errors[0].message


def test_an_error_instead_of_an_answer_fails_it():
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: required"}}
    records = exchange("messages", request(streaming=False), json_answer(error, "400 Bad Request")).records
    assert (records.outcome[0], records.errors[0].code) == (Outcome.ERROR, 400)
    assert "max_tokens: required" in MESSAGES.read_response(error).error_message
    assert "is not a message" in MESSAGES.read_response({"content": "Hello"}).error_message
