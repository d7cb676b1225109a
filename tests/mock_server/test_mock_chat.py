from __future__ import annotations

import json

import pytest


def test_a_stream_has_role_content_finish_usage_and_done(start_mock):
    reply = start_mock().chat(stream=True, max_tokens=3, stream_options={"include_usage": True})
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/event-stream")
    *events, done = reply.data
    assert done == "[DONE]"
    role, *content, finish, usage = [json.loads(event) for event in events]
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(content) == 3
    assert all(event["choices"][0]["delta"]["content"].strip() for event in content)
    assert all(event["choices"][0]["finish_reason"] is None for event in (role, *content))
    assert finish["choices"][0]["delta"] == {}
    assert finish["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    assert {event["object"] for event in (role, *content, finish, usage)} == {"chat.completion.chunk"}
    assert len({event["id"] for event in (role, *content, finish, usage)}) == 1


def test_a_stream_has_no_usage_unless_asked_for(start_mock):
    reply = start_mock().chat(stream=True, max_tokens=2)
    assert "usage" not in reply.body.decode()
    assert reply.data[-1] == "[DONE]"


def test_an_answer_that_is_not_streamed_is_one_json_object(start_mock):
    answer = start_mock().chat(max_tokens=4).json
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert len(answer["choices"][0]["message"]["content"].split()) == 4
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


@pytest.mark.parametrize(
    ("fields", "tokens", "finish_reason"),
    [
        ({}, 5, "stop"),
        ({"max_tokens": 9}, 9, "length"),
        ({"max_completion_tokens": 2, "max_tokens": 9}, 2, "length"),
        ({"max_tokens": 40}, 20, "stop"),
    ],
)
def test_the_request_says_how_many_tokens_up_to_the_servers_cap(start_mock, fields, tokens, finish_reason):
    answer = start_mock(osl=5, server_osl_cap=20).chat(**fields).json
    assert answer["usage"]["completion_tokens"] == tokens
    assert answer["choices"][0]["finish_reason"] == finish_reason


def test_prompt_tokens_are_the_words_of_all_messages(start_mock):
    messages = [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a  b\nc"}, {"type": "image_url", "image_url": {}}],
        },
        {"role": "assistant", "content": None},
    ]
    assert start_mock().chat(messages=messages).json["usage"]["prompt_tokens"] == 5


def test_two_prompts_that_differ_are_answered_each_by_its_own_usage(start_mock):
    mock = start_mock()
    prompts = ["a", "a b", "a", "a b c"]
    counts = [
        mock.chat(messages=[{"role": "user", "content": p}]).json["usage"]["prompt_tokens"] for p in prompts
    ]
    assert counts == [1, 2, 1, 3]


def test_another_model_is_not_found(start_mock):
    reply = start_mock(model="served").chat(model="x")
    assert reply.status == 404
    assert reply.json["error"] == {
        "message": "The model `x` does not exist.",
        "type": "invalid_request_error",
        "code": "model_not_found",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "could not parse the JSON body"),
        (b"[]", "is a JSON object"),
        (b'{"model": "mock"}', "messages must be a list"),
        (b'{"messages": [1]}', "must be an object"),
        (b'{"messages": [{"content": "x"}], "max_tokens": 0}', "max_tokens is 0"),
        (b'{"messages": [{"content": "x"}], "max_tokens": true}', "max_tokens is True"),
    ],
)
def test_a_bad_body_is_a_bad_request(start_mock, body, message):
    reply = start_mock().request("POST", "/v1/chat/completions", body)
    assert reply.status == 400
    assert message in reply.json["error"]["message"]
    assert reply.json["error"]["type"] == "invalid_request_error"


def test_models_health_and_unknown_paths(start_mock):
    mock = start_mock(model="tiny")
    assert [model["id"] for model in mock.request("GET", "/v1/models").json["data"]] == ["tiny"]
    assert mock.request("GET", "/health").json == {"status": "ok"}
    unknown = mock.request("GET", "/v2/models")
    assert unknown.status == 404
    assert "GET /v2/models" in unknown.json["error"]["message"]
