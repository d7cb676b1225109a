"""Bodies that are neither JSON nor event streams of it: what an endpoint that reads them gets, and what others say."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.conversation import Expected
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, ResponseFacts
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine.graded_answers import new_answer_reader
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.transport import Exchange


class Reading(BaseEndpoint):
    """Keeps what it is given."""

    path = "/"
    reads_text = True

    def __init__(self):
        super().__init__()
        self.given = []

    def format_payload(self, request):
        raise NotImplementedError

    def read_stream(self, messages, *, done):
        self.given += messages
        return ResponseFacts(range(len(messages)), done)

    def read_response(self, body):
        self.given.append(body)
        return ResponseFacts((0,), True)

    def text_of(self, messages):
        return "".join(map(str, messages))


class Looking(Reading):
    reads_text = False
    reads_media = True


def plan_of(**fields):
    return LoadPlan(url="http://h/", bodies=[b"{}"], concurrency=1, **fields)


def answer_of(endpoint, body, content_type, *, streaming=False, **fields):
    exchange = Exchange(0, 0, b"")
    exchange.status, exchange.t_hdr, exchange.t_end = 200, 1, 99
    exchange.headers = {b"content-type": content_type.encode()} if content_type else {}
    exchange.parts, exchange.stamps = [body], [50]
    return new_answer_reader(plan_of(streaming=streaming, **fields), endpoint).read(exchange)


@pytest.mark.parametrize(
    ("body", "given"),
    [
        (b"hello", "hello"),
        ("ä".encode(), "ä"),
        (b"a\xff\xfeb", "a\ufffd\ufffdb"),
        (b"", ""),
        (b'{"a": 1}', {"a": 1}),
        (b'"quoted"', "quoted"),
        (b'{"a": 1', '{"a": 1'),
    ],
)
@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "image/png", ""])
def test_an_endpoint_that_reads_text_gets_what_is_not_json_as_text(body, given, content_type):
    answer = answer_of(endpoint := Reading(), body, content_type)
    assert answer.outcome is Outcome.OK
    assert endpoint.given == [given]


def test_messages_of_a_stream_that_are_not_json_are_text_for_it_too():
    endpoint = Reading()
    answer = answer_of(
        endpoint, b'data: hello\n\ndata: {"a":1}\n\ndata: [DONE]\n\n', "text/event-stream", streaming=True
    )
    assert (answer.outcome, endpoint.given) == (Outcome.OK, ["hello", {"a": 1}])


def test_text_that_is_not_json_is_graded():
    assert answer_of(Reading(), b"Paris\n", "text/plain", expected=[Expected(answer="Paris")]).correct == 1


@pytest.mark.parametrize(
    "content_type", ["video/mp4", "audio/wav", "Image/PNG; q=1", "application/octet-stream"]
)
def test_an_endpoint_that_reads_media_gets_their_bytes(content_type):
    answer = answer_of(endpoint := Looking(), b"\0\xff[1]", content_type)
    assert (answer.outcome, endpoint.given) == (Outcome.OK, [b"\0\xff[1]"])


def test_an_endpoint_that_reads_media_gets_json_decoded():
    answer_of(endpoint := Looking(), b'{"a": 1}', "application/json")
    assert endpoint.given == [{"a": 1}]


@pytest.mark.parametrize(
    ("endpoint", "content_type"),
    [
        (ChatEndpoint(), "text/plain"),
        (ChatEndpoint(), "video/mp4"),
        (Looking(), "text/plain"),
        (Looking(), ""),
    ],
)
def test_for_all_others_it_is_no_answer(endpoint, content_type):
    answer = answer_of(endpoint, b"hello", content_type)
    assert answer.outcome is Outcome.ERROR
    assert (answer.failure.type, answer.failure.message.split(" (")[0]) == ("json", "the answer is not JSON")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"message":{"content":"a"}}\n{"done":true}\n', "application/x-ndjson"),
        (b'{"choices":[]}', "application/json"),
        (b"\0\1\2", "video/mp4"),
        (b"hello", "text/plain"),
    ],
)
@pytest.mark.parametrize("endpoint", [ChatEndpoint(), Reading()], ids=["chat", "reading"])
def test_where_a_stream_was_asked_for_another_body_is_told_with_its_type(endpoint, body, content_type):
    answer = answer_of(endpoint, body, content_type, streaming=True)
    assert answer.outcome is Outcome.ERROR
    assert f"the answer is not an event stream ({content_type}): " in answer.failure.message


def test_a_stream_where_none_was_asked_for_is_no_json():
    answer = answer_of(ChatEndpoint(), b'data: {"a":1}\n\n', "text/event-stream")
    assert answer.failure.type == "json"
