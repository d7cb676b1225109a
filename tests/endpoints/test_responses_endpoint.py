"""OpenAI responses: what is asked for, and what is read out of an answer."""

from __future__ import annotations

import pytest
from scripted_api import endpoint_of, exchange, json_answer, sse_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

RESPONSES = endpoint_of("responses")
USAGE = {
    "input_tokens": 37,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 11,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 48,
}


def request(streaming=True):
    turn = Turn(text="Tell me a story.", max_tokens=16)
    return RequestInfo(turns=[turn], model="m", streaming=streaming, system="Be brief.")


def event(kind, **fields):
    return {"type": f"response.{kind}", "sequence_number": 1} | fields


def text(delta, kind="output_text"):
    return event(f"{kind}.delta", item_id="msg_1", output_index=0, content_index=0, delta=delta)


def end(kind="completed", **fields):
    return event(
        kind, response={"object": "response", "status": kind, "error": None, "usage": USAGE} | fields
    )


BEGIN = [
    event("created", response={"status": "in_progress", "usage": None}),
    event("in_progress", response={"status": "in_progress", "usage": None}),
    event("output_item.added", output_index=0, item={"type": "message", "content": []}),
    event("content_part.added", part={"type": "output_text", "text": ""}),
]
DONE = [
    event("output_text.done", text="Once upon"),
    event("content_part.done", part={"type": "output_text", "text": "Once upon"}),
    event("output_item.done", item={"type": "message"}),
]
STREAM = [*BEGIN, text("Once"), text(""), text(" upon"), *DONE, end()]
WHOLE = {
    "object": "response",
    "status": "completed",
    "error": None,
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Once upon"}]},
    ],
    "usage": USAGE,
}


def test_a_request_is_written_as_documented_and_its_stream_read():
    sent, records = exchange("responses", request(), sse_answer(STREAM, events=True))
    assert sent.line == "POST /v1/responses HTTP/1.1"
    assert sent.body == (
        b'{"model":"m","input":[{"type":"message","role":"user","content":"Tell me a story."}],"stream":true,'
        b'"instructions":"Be brief.","max_output_tokens":16}'
    )
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [2]
    assert (records.input_tokens[0], records.output_tokens[0]) == (37, 11)
    assert (records.reasoning_tokens[0], records.cached_tokens[0]) == (3, 8)
    assert RESPONSES.text_of(STREAM) == "Once upon"


def test_a_whole_answer_is_read():
    sent, records = exchange("responses", request(streaming=False), json_answer(WHOLE))
    assert sent.json["stream"] is False
    assert records.outcome.tolist() == [Outcome.OK]
    assert (records.content_count()[0], records.output_tokens[0], records.reasoning_tokens[0]) == (1, 11, 3)
    assert RESPONSES.text_of([WHOLE]) == "Once upon"


def test_turns_become_items_answers_with_parts_of_their_own():
    turns = [
        Turn(text="a", texts=["b"], images=["http://h/i.png"], audios=["data:audio/x-wav;base64,AA=="]),
        Turn(text="c", texts=["d"], role="assistant"),
        Turn(raw_messages=[{"type": "function_call_output", "call_id": "1", "output": "4"}]),
        Turn(text="e"),
    ]
    payload = RESPONSES.format_payload(RequestInfo(turns=turns, model="m", streaming=False))
    assert payload["input"] == [
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "a"},
                {"type": "input_text", "text": "b"},
                {"type": "input_image", "image_url": "http://h/i.png"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            ],
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "c"}, {"type": "output_text", "text": "d"}],
        },
        {"type": "function_call_output", "call_id": "1", "output": "4"},
        {"type": "message", "role": "user", "content": "e"},
    ]


def test_reasoning_and_tool_calls_are_content_and_reasoning_is_no_output():
    stream = [
        *BEGIN,
        text("hm", "reasoning_text"),
        text("so", "reasoning_summary_text"),
        text('{"a"', "function_call_arguments"),
        end(),
    ]
    facts = RESPONSES.read_stream(stream, done=False)
    assert (facts.content, facts.first_output) == ([4, 5, 6], 2)
    assert (
        RESPONSES.read_stream([*BEGIN, text("hm", "reasoning_text"), end()], done=False).first_output is None
    )


def test_text_that_came_without_deltas_counts_once():
    stream = [*BEGIN, *DONE, end()]
    facts = RESPONSES.read_stream(stream, done=False)
    assert facts.content == [4]
    assert RESPONSES.text_of(stream) == "Once upon"


def test_a_response_that_reached_its_longest_length_is_complete():
    stop = end("incomplete", incomplete_details={"reason": "max_output_tokens"})
    facts = RESPONSES.read_stream([text("a"), stop], done=False)
    assert (facts.finished, facts.error_message, facts.output_tokens) == (True, None, 11)
    assert RESPONSES.read_response(WHOLE | {"status": "incomplete"}).finished


def test_a_stream_without_its_last_event_is_truncated():
    records = exchange("responses", request(), sse_answer(STREAM[:-1], events=True)).records
    assert records.outcome.tolist() == [Outcome.TRUNCATED]


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (end("failed", error={"code": "server_error", "message": "it broke"}), "it broke"),
        (end("failed"), "the response is failed"),
        ({"type": "error", "code": "rate_limit", "message": "too fast", "param": None}, "too fast"),
        ({"type": "error", "error": {"message": "too fast"}}, "too fast"),
    ],
)
def test_an_error_in_a_stream_fails_it(last, told):
    records = exchange("responses", request(), sse_answer([*BEGIN, text("a"), last], events=True)).records
    assert records.outcome.tolist() == [Outcome.ERROR]
    assert told in records.errors[0].message


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"message": "no", "code": None}}, "no"),
        ({"status": "failed", "error": {"code": "server_error", "message": "it broke"}}, "it broke"),
        ({"status": "queued", "output": []}, "the response is queued"),
        ({"object": "list", "data": []}, "is not a response"),
    ],
)
def test_a_whole_answer_that_is_no_response_fails(body, told):
    facts = RESPONSES.read_response(body)
    assert told in facts.error_message
    assert not facts.content
