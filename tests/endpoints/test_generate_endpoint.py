"""Hugging Face text generation: what is asked for, and what is read out of an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_api import endpoint_of, exchange, json_answer, sse_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

GENERATE = endpoint_of("huggingface_generate")
REQUEST = RequestInfo(turns=[Turn(text="What is Deep Learning?", max_tokens=20)], model="m", streaming=True)
DETAILS = {"finish_reason": "eos_token", "generated_tokens": 3, "seed": None, "input_length": 5}


def token(text, special=False, whole=None, details=None, **fields):
    told = {"id": 264, "text": text, "logprob": -0.34, "special": special}
    return {"index": 1, "token": told, "generated_text": whole, "details": details} | fields


STREAM = [token(" Deep"), token(" learning"), token("</s>", True, " Deep learning", DETAILS)]


def test_a_streamed_request_goes_to_a_path_of_its_own():
    sent, records = exchange("huggingface_generate", REQUEST, sse_answer(STREAM))
    assert sent.line == "POST /generate_stream HTTP/1.1"
    assert sent.body == (
        b'{"inputs":"What is Deep Learning?","parameters":{"details":true,"max_new_tokens":20}}'
    )
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [2]
    assert (records.input_tokens[0], records.output_tokens[0]) == (5, 3)
    assert GENERATE.text_of(STREAM) == " Deep learning"


def test_a_whole_answer_is_read():
    body = {"generated_text": " Deep", "details": {"generated_tokens": 20, "prefill": [], "tokens": []}}
    sent, records = exchange("huggingface_generate", replace(REQUEST, streaming=False), json_answer(body))
    assert sent.line == "POST /generate HTTP/1.1"
    assert records.outcome.tolist() == [Outcome.OK]
    assert (records.content_count()[0], records.output_tokens[0]) == (1, 20)
    assert records.input_tokens[0] == ABSENT
    assert GENERATE.text_of([body]) == " Deep"
    assert GENERATE.read_response([body]).finished
    assert GENERATE.text_of([[body]]) == " Deep"


def test_several_texts_are_one_prompt():
    turn = Turn(text="a", texts=["b"])
    payload = GENERATE.format_payload(RequestInfo(turns=[turn], model="m", streaming=False))
    assert payload["inputs"] == "a b"


def test_a_stream_without_its_whole_text_is_truncated():
    records = exchange("huggingface_generate", REQUEST, sse_answer(STREAM[:2])).records
    assert records.outcome.tolist() == [Outcome.TRUNCATED]


@pytest.mark.parametrize("before", [[], STREAM[:2]])
def test_an_error_in_a_stream_fails_it(before):
    error = {"error": "Request failed during generation: out of memory", "error_type": "generation"}
    records = exchange("huggingface_generate", REQUEST, sse_answer([*before, error])).records
    assert records.outcome.tolist() == [Outcome.ERROR]
    assert "out of memory" in records.errors[0].message
    facts = GENERATE.read_stream([*before, error], done=False)
    assert facts.content == list(range(len(before)))


def test_a_whole_answer_that_is_none_fails():
    for body in ({"error": "no", "error_type": "validation"}, {"generated_text": None}, [], {"text": "a"}):
        assert GENERATE.read_response(body).error_message
