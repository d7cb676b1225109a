"""Bodies that the data has: sent as they are, and their answers read whatever they look like."""

from __future__ import annotations

import pytest
from scripted_api import ScriptedApi, endpoint_of, exchange, json_answer, send, sse_answer, text_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

PAYLOAD = {"question": "Is it <b>?", "options": {"k": 3}}


def request(streaming=False, **extra):
    return RequestInfo(turns=[Turn(raw_payload=PAYLOAD)], model="m", streaming=streaming, extra=extra)


def test_r7_a_body_is_sent_verbatim_to_the_url_as_it_is():
    """R7."""
    with ScriptedApi(json_answer({"answer": {"text": "yes"}})) as api:
        body = endpoint_of("raw").body_of(request())
        records = send(api, "raw", [body], path="/ask?v=2", extra={"response_field": "answer.text"})
    assert api.requests[0].line == "POST /ask?v=2 HTTP/1.1"
    assert api.requests[0].body == b'{"question":"Is it <b>?","options":{"k":3}}'
    assert (records.outcome[0], records.content_count()[0]) == (Outcome.OK, 1)


def test_a_stream_is_read_by_the_query_and_needs_no_end_of_its_own():
    messages = [{"event": "start"}, {"words": "a"}, {"words": "b"}, {"event": "end"}]
    records = exchange(
        "raw", request(streaming=True, response_field="words"), sse_answer(messages), path="/"
    ).records
    assert (records.outcome[0], records.content_count()[0]) == (Outcome.OK, 2)


def test_q4_text_is_an_answer_whole_or_streamed():
    """Q4."""
    records = exchange("raw", request(), text_answer("plain words"), path="/").records
    assert (records.outcome[0], records.content_count()[0]) == (Outcome.OK, 1)
    stream = sse_answer(["plain", "words", '{"text": ""}'], done=True)
    records = exchange("raw", request(streaming=True), stream, path="/").records
    assert (records.outcome[0], records.content_count()[0]) == (Outcome.OK, 2)


def test_an_answer_in_which_nothing_is_found_is_an_error():
    records = exchange("raw", request(), json_answer({"status": 1}), path="/").records
    assert records.outcome[0] == Outcome.ERROR
    assert "response_field" in records.errors[0].message


def test_a_turn_without_a_body_is_refused():
    with pytest.raises(ConfigurationError, match="'raw' sends bodies as the data has them"):
        endpoint_of("raw").body_of(RequestInfo(turns=[Turn(text="a")], model="m", streaming=False))
