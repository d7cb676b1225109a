"""OpenAI completions: what is asked for, and what is read out of an answer."""

from __future__ import annotations

import pytest
from scripted_api import endpoint_of, exchange, json_answer, sse_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

COMPLETIONS = endpoint_of("completions")


def request(streaming=True, **given):
    turn = Turn(**({"text": "Say this is a test", "max_tokens": 7} | given))
    return RequestInfo(turns=[turn], model="m", streaming=streaming)


def chunk(text, finish=None):
    return {"object": "text_completion", "choices": [{"text": text, "index": 0, "finish_reason": finish}]}


USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
STREAM = [chunk(""), chunk(" This"), chunk(" is"), chunk("", "length"), {"choices": [], "usage": USAGE}]


def test_a_request_is_written_as_documented_and_its_stream_read():
    sent, records = exchange("completions", request(), sse_answer(STREAM, done=True))
    assert sent.line == "POST /v1/completions HTTP/1.1"
    assert sent.body == (
        b'{"model":"m","prompt":"Say this is a test","stream":true,"max_tokens":7,'
        b'"stream_options":{"include_usage":true}}'
    )
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [2]
    assert (records.input_tokens[0], records.output_tokens[0]) == (5, 7)
    assert COMPLETIONS.text_of(STREAM) == " This is"


def test_a_whole_answer_is_read():
    body = {"object": "text_completion", "choices": [chunk("ok", "stop")["choices"][0]], "usage": USAGE}
    sent, records = exchange("completions", request(streaming=False), json_answer(body))
    assert sent.body == b'{"model":"m","prompt":"Say this is a test","stream":false,"max_tokens":7}'
    assert records.outcome.tolist() == [Outcome.OK]
    assert (records.content_count()[0], records.input_tokens[0], records.output_tokens[0]) == (1, 5, 7)
    assert COMPLETIONS.text_of([body]) == "ok"


def test_a_long_row_of_tokens_counts_as_it_does_read_one_by_one():
    tokens = [f" {number}" for number in range(40)]
    stream = [*map(chunk, tokens), chunk("", "length"), {"choices": [], "usage": USAGE}]
    records = exchange("completions", request(), sse_answer(stream, done=True)).records
    assert records.content_count().tolist() == [40]
    assert COMPLETIONS.read_stream(stream, done=True).content == list(range(40))
    assert COMPLETIONS.token_name == "text"  # by which such a row is not decoded


def test_several_texts_are_a_list_of_prompts_and_a_system_prompt_goes_before_each():
    turn = Turn(text="a", texts=["b"])
    payload = COMPLETIONS.format_payload(
        RequestInfo(turns=[turn], model="m", streaming=False, system="Be brief.")
    )
    assert payload["prompt"] == ["Be brief.\n\na", "Be brief.\n\nb"]


def test_a_stream_that_is_cut_is_truncated():
    records = exchange("completions", request(), sse_answer([chunk(" This")], done=True)).records
    assert records.outcome.tolist() == [Outcome.TRUNCATED]


@pytest.mark.parametrize("before", [[], [chunk(" This")]])
def test_an_error_in_a_stream_fails_it(before):
    answer = sse_answer([*before, {"error": {"message": "overloaded", "code": 503}}], done=True)
    records = exchange("completions", request(), answer).records
    assert records.outcome.tolist() == [Outcome.ERROR]
    assert (records.errors[0].code, "overloaded" in records.errors[0].message) == (503, True)


def test_a_whole_answer_that_is_an_error_or_no_completion_fails():
    for body in ({"error": "no"}, {"choices": [{"message": {"content": "a"}}]}):
        records = exchange("completions", request(streaming=False), json_answer(body)).records
        assert records.outcome.tolist() == [Outcome.ERROR]
