"""Image generation, image edits and image retrieval (systems.md Q, R6)."""

from __future__ import annotations

import base64

import pytest
from form_parts import BOUNDARY, FORM_DATA, read
from scripted_api import endpoint_of, exchange, json_answer, sse_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

PNG = b"\x89PNG\r\n\x1a\n\x00--"
PNG_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
USAGE = {
    "total_tokens": 100,
    "input_tokens": 50,
    "output_tokens": 50,
    "input_tokens_details": {"text_tokens": 10},
}
IMAGES = {"created": 1, "data": [{"b64_json": "aGk="}], "usage": USAGE}


def request(*, streaming=False, extra=None, **turn):
    return RequestInfo(turns=[Turn(**turn)], model="m", streaming=streaming, extra=extra or {})


def stream(of, drafts=2):
    messages = [
        {"type": f"{of}.partial_image", "b64_json": "aGk=", "created_at": 1, "partial_image_index": i}
        for i in range(drafts)
    ]
    return [*messages, {"type": f"{of}.completed", "b64_json": "aGk=", "created_at": 1, "usage": USAGE}]


def test_a_prompt_is_sent_and_an_image_is_one_content():
    sent, records = exchange("image_generation", request(text="a cat", max_tokens=64), json_answer(IMAGES))
    assert sent.line == "POST /v1/images/generations HTTP/1.1"
    assert sent.body == b'{"model":"m","prompt":"a cat"}'
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [1]
    assert records.input_tokens.tolist() == [50]
    assert records.output_tokens.tolist() == [ABSENT]


def test_drafts_are_streamed_where_that_is_asked_for():
    asked = request(text="a cat", streaming=True, extra={"partial_images": 2})
    sent, records = exchange("image_generation", asked, sse_answer(stream("image_generation"), events=True))
    assert sent.body == b'{"model":"m","prompt":"a cat","stream":true,"partial_images":2}'
    assert sent.headers["accept"] == "text/event-stream"
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [3]
    assert records.input_tokens.tolist() == [50]


def test_a_url_is_an_image_too():
    facts = endpoint_of("image_generation").read_response({"data": [{"url": "https://example.org/1.png"}]})
    assert (facts.content, facts.error_message) == ((0,), None)


@pytest.mark.parametrize("name", ["image_generation", "image_edit"])
@pytest.mark.parametrize("texts", [{}, {"text": "a", "texts": ["b"]}])
def test_there_is_one_prompt(name, texts):
    images = [PNG_URL] if name == "image_edit" else []
    with pytest.raises(
        ConfigurationError, match=r"a request for an image takes one prompt, and this one has [02] t"
    ):
        endpoint_of(name).format_payload(request(images=images, **texts))


def test_a_stream_without_a_finished_image_is_truncated():
    _, records = exchange(
        "image_generation",
        request(text="a cat", streaming=True),
        sse_answer(stream("image_generation")[:2]),
    )
    assert records.outcome.tolist() == [Outcome.TRUNCATED]


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "error": {"type": "image_generation_error", "message": "no", "code": 400}},
        {"type": "error", "message": "no", "code": 400},
    ],
)
def test_an_error_in_a_stream_of_images_is_found(error):
    facts = endpoint_of("image_generation").read_stream([*stream("image_generation")[:1], error], done=False)
    assert (facts.content, facts.finished, facts.error_message, facts.error_code) == ([0], False, "no", 400)


@pytest.mark.parametrize("odd", [3, "x", None, [], {}, {"b64_json": None}, {"type": 3, "b64_json": 3}])
def test_odd_messages_of_a_stream_of_images_do_not_raise(odd):
    facts = endpoint_of("image_edit").read_stream([odd], done=True)
    assert not facts.finished


def test_an_image_edit_uploads_its_image_in_a_form():
    asked = request(text="a hat", images=[PNG_URL], extra={"n": 1, "response_format": "b64_json"})
    sent, records = exchange("image_edit", asked, json_answer(IMAGES))
    assert (sent.line, sent.headers["content-type"]) == ("POST /v1/images/edits HTTP/1.1", FORM_DATA)
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="image.png"\r\n'
    assert sent.body == (
        (
            field % ("model", "m") + field % ("prompt", "a hat") + file + "Content-Type: image/png\r\n\r\n"
        ).encode()
        + PNG
        + f"\r\n{field % ('n', '1')}{field % ('response_format', 'b64_json')}--{BOUNDARY}--\r\n".encode()
    )
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [1]


def test_an_image_edit_is_streamed_where_that_is_asked_for():
    asked = request(text="a hat", images=[PNG_URL], streaming=True)
    sent, records = exchange("image_edit", asked, sse_answer(stream("image_edit", 1), events=True))
    assert ("stream", None, None, b"true") in read(sent.body)
    assert (records.outcome.tolist(), records.content_count().tolist()) == ([Outcome.OK], [2])


def test_several_images_and_those_on_web_servers_are_sent_by_name():
    url = "https://example.org/a.png"
    made = endpoint_of("image_edit").format_payload(request(text="a", images=[PNG_URL, url, PNG_URL]))
    assert [file.data for file in made["image"]] == [PNG, PNG]
    assert made["url"] == url
    assert [name for name, *_ in read(endpoint_of("image_edit").encode(made))] == [
        "model",
        "prompt",
        "image[]",
        "image[]",
        "url",
    ]


@pytest.mark.parametrize("name", ["prompt", "image", "image[]", "url", "url[]", "mask"])
def test_r6_an_image_edit_keeps_prompt_image_url_and_mask_its_own(name):
    plain = endpoint_of("image_edit").format_payload(request(text="a", images=[PNG_URL]))
    for given in ({"extra": {name: "mine", "n": 2}}, {"extra_body": {name: "mine", "n": 2}}):
        made = endpoint_of("image_edit").format_payload(request(text="a", images=[PNG_URL], **given))
        assert made == plain | {"n": 2}


def test_an_edit_without_an_image_is_refused():
    with pytest.raises(ConfigurationError, match="an image edit needs an image, and this request has none"):
        endpoint_of("image_edit").format_payload(request(text="a"))


def test_images_are_sent_to_be_looked_through_and_what_is_found_is_one_content():
    answer = {
        "data": [{"index": 0, "bounding_boxes": {"table": [{"x_min": 0.1, "confidence": 0.9}]}}],
        "usage": {"images_size_mb": 0.5},
    }
    sent, records = exchange(
        "image_retrieval", request(images=[PNG_URL], text="ignored"), json_answer(answer)
    )
    assert sent.line == "POST /v1/infer HTTP/1.1"
    assert sent.body == b'{"input":[{"type":"image_url","url":"%b"}]}' % PNG_URL.encode()
    assert (records.outcome.tolist(), records.content_count().tolist()) == ([Outcome.OK], [1])
    assert records.input_tokens.tolist() == [ABSENT]


def test_retrieval_without_an_image_is_refused_and_its_server_is_not_asked_for_a_model():
    assert not endpoint_of("image_retrieval").names_model
    with pytest.raises(ConfigurationError, match="image retrieval needs an image"):
        endpoint_of("image_retrieval").format_payload(request(text="a"))
