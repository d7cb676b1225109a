"""Completions and embeddings: answered by the same delays, log and faults as chat completions."""

from __future__ import annotations

import json

import pytest

COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
NEEDED = {COMPLETIONS: {"prompt": "a"}, EMBEDDINGS: {"input": "a"}}


def asked(mock, path, **fields):
    return mock.request("POST", path, {"model": "mock", **fields})


def test_a_streamed_completion_has_text_finish_usage_and_done(start_mock):
    fields = {"prompt": "a b", "stream": True, "max_tokens": 3, "stream_options": {"include_usage": True}}
    *events, done = asked(start_mock(), COMPLETIONS, **fields).data
    *content, finish, usage = [json.loads(event) for event in events]
    assert done == "[DONE]"
    assert [bool(event["choices"][0]["text"].strip()) for event in content] == [True] * 3
    assert (finish["choices"][0]["text"], finish["choices"][0]["finish_reason"]) == ("", "length")
    assert usage["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert {event["object"] for event in (*content, finish, usage)} == {"text_completion"}


def test_a_completion_that_is_not_streamed_is_one_json_object(start_mock):
    answer = asked(start_mock(), COMPLETIONS, prompt=["a b"], max_tokens=4).json
    assert answer["object"] == "text_completion"
    assert len(answer["choices"][0]["text"].split()) == 4
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}


def test_each_text_has_an_embedding(start_mock):
    answer = asked(start_mock(), EMBEDDINGS, input=["a b", "c"]).json
    assert answer["object"] == "list"
    assert [(entry["object"], entry["index"]) for entry in answer["data"]] == [
        ("embedding", 0),
        ("embedding", 1),
    ]
    assert all(len(entry["embedding"]) == 64 for entry in answer["data"])
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_an_embedding_is_never_streamed_and_takes_no_token_limit(start_mock):
    reply = asked(start_mock(), EMBEDDINGS, input="a", stream=True, max_tokens=0)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        (COMPLETIONS, {}, "prompt must be a text or a list of texts."),
        (COMPLETIONS, {"prompt": []}, "prompt must be a text or a list of texts."),
        (COMPLETIONS, {"prompt": [1, 2]}, "prompt must be a text or a list of texts."),
        (COMPLETIONS, {"prompt": ["a", "b"]}, "prompt holds 2 texts; this server completes one a request."),
        (EMBEDDINGS, {"input": None}, "input must be a text or a list of texts."),
    ],
)
def test_a_bad_prompt_is_a_bad_request(start_mock, path, fields, message):
    reply = asked(start_mock(), path, **fields)
    assert (reply.status, reply.json["error"]["message"]) == (400, message)


@pytest.mark.parametrize("path", NEEDED)
def test_it_is_logged_delayed_and_broken_as_a_chat_is(start_mock, path):
    mock = start_mock(ttft_ms=30)
    asked(mock, path, max_tokens=1, **NEEDED[path])
    mock.request("POST", "/options", {"fault": "http_429"})
    assert asked(mock, path, **NEEDED[path]).status == 429
    mock.request("POST", "/options", {"fault": "bad_json"})
    with pytest.raises(json.JSONDecodeError):
        _ = asked(mock, path, **NEEDED[path]).json
    good, refused, broken = mock.log()["requests"]
    assert [row["outcome"] for row in (good, refused, broken)] == ["ok", "http_429", "bad_json"]
    (sent,) = good["sent_ns"]
    assert sent - good["t_recv_ns"] >= 30_000_000
