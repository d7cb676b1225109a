"""Solido's retrieval-augmented answers (systems.md Q)."""

from __future__ import annotations

import pytest
from scripted_api import endpoint_of, exchange, json_answer, sse_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

BODY = b'{"query":["how?"],"filters":{"family":"Solido","tool":"SDE"},"inference_model":"m"}'
ANSWER = {"content": "so", "sources": {"a": 1}}


def request(*, streaming=False, extra=None, **turn):
    return RequestInfo(turns=[Turn(**turn)], model="m", streaming=streaming, extra=extra or {})


def test_a_query_is_sent_and_its_answer_is_one_content():
    sent, records = exchange("solido_rag", request(text="how?"), json_answer(ANSWER))
    assert (sent.line, sent.body) == ("POST /rag/api/prompt HTTP/1.1", BODY)
    assert (records.outcome.tolist(), records.content_count().tolist()) == ([Outcome.OK], [1])


def test_a_streamed_answer_is_read_as_it_comes():
    messages = [{"content": "s"}, {"content": ""}, {"content": "o", "sources": {}}]
    sent, records = exchange("solido_rag", request(text="how?", streaming=True), sse_answer(messages))
    assert (sent.body, sent.headers["accept"]) == (BODY, "text/event-stream")
    assert (records.outcome.tolist(), records.content_count().tolist()) == ([Outcome.OK], [2])
    assert endpoint_of("solido_rag").text_of(messages) == "so"


def test_the_filters_can_be_others():
    made = endpoint_of("solido_rag").format_payload(request(text="how?", extra={"filters": {}}))
    assert made["filters"] == {}


def test_an_error_in_a_stream_is_found_and_odd_messages_do_not_raise():
    facts = endpoint_of("solido_rag").read_stream([{"content": 3}, 3, {"error": "no"}], done=False)
    assert (facts.content, facts.error_message) == ([], "no")


def test_a_query_without_a_text_is_refused():
    with pytest.raises(ConfigurationError, match="the endpoint type 'solido_rag' needs one"):
        endpoint_of("solido_rag").format_payload(request())
