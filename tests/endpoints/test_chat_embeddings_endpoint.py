"""Embeddings of a conversation: what is asked for, and what is read out of an answer."""

from __future__ import annotations

from scripted_api import exchange, json_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

IMAGE = "http://h/i.png"
TURN = Turn(text="Represent the given image.", images=[IMAGE], max_tokens=3)


def test_a_request_holds_messages_and_its_answer_a_vector():
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
        "usage": {"prompt_tokens": 760, "total_tokens": 760, "completion_tokens": 0},
    }
    request = RequestInfo(turns=[TURN], model="m", streaming=False, system="Be brief.")
    sent, records = exchange("chat_embeddings", request, json_answer(body))
    assert sent.line == "POST /v1/embeddings HTTP/1.1"
    assert sent.body == (
        b'{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":['
        b'{"type":"text","text":"Represent the given image."},'
        b'{"type":"image_url","image_url":{"url":"http://h/i.png"}}]}]}'
    )
    assert records.outcome.tolist() == [Outcome.OK]
    assert (records.content_count()[0], records.input_tokens[0]) == (1, 760)
    assert records.output_tokens[0] == ABSENT


def test_an_answer_without_a_vector_fails():
    request = RequestInfo(turns=[TURN], model="m", streaming=False)
    for body in ({"data": []}, {"error": {"message": "no"}}, {"choices": []}):
        records = exchange("chat_embeddings", request, json_answer(body)).records
        assert records.outcome.tolist() == [Outcome.ERROR]
