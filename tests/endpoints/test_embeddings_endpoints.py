"""Embeddings, OpenAI's and NIM's (systems.md Q)."""

from __future__ import annotations

import pytest
from scripted_api import endpoint_of, exchange, json_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

ANSWER = {
    "object": "list",
    "data": [
        {"object": "embedding", "index": 0, "embedding": [0.0023, -0.0093]},
        {"object": "embedding", "index": 1, "embedding": [0.1, 0.2]},
    ],
    "model": "m",
    "usage": {"prompt_tokens": 8, "total_tokens": 8, "completion_tokens": 0},
}


def request(*, extra=None, system=None, **turn):
    return RequestInfo(turns=[Turn(**turn)], model="m", streaming=False, extra=extra or {}, system=system)


def payload(endpoint_type, **asked):
    return endpoint_of(endpoint_type).format_payload(request(**asked))


@pytest.mark.parametrize(
    ("endpoint_type", "body"),
    [
        ("embeddings", b'{"model":"m","input":["one","two"]}'),
        ("nim_embeddings", b'{"model":"m","input":["one","two"],"input_type":"query"}'),
    ],
)
def test_texts_are_sent_in_one_request_and_their_vectors_are_one_content(endpoint_type, body):
    sent, records = exchange(
        endpoint_type, request(text="one", texts=["two"], max_tokens=64), json_answer(ANSWER)
    )
    assert (sent.line, sent.body) == ("POST /v1/embeddings HTTP/1.1", body)
    assert sent.headers["content-type"] == "application/json"
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [1]
    assert records.input_tokens.tolist() == [8]
    assert records.output_tokens.tolist() == [-1]  # a vector is no token, whatever completion_tokens say


@pytest.mark.parametrize("endpoint_type", ["embeddings", "nim_embeddings"])
def test_extras_and_the_turns_own_body_win_in_this_order(endpoint_type):
    made = payload(
        endpoint_type,
        text="a",
        model="own",
        extra={"dimensions": 8, "input_type": "passage", "truncate": "END"},
        extra_body={"dimensions": 16},
    )
    assert made == {
        "model": "own",
        "input": ["a"],
        "dimensions": 16,
        "input_type": "passage",
        "truncate": "END",
    }


def test_empty_texts_are_left_out_and_a_system_prompt_goes_before_each():
    assert payload("embeddings", texts=["a", "", "b"], system="Find:")["input"] == [
        "Find:\n\na",
        "Find:\n\nb",
    ]


def test_a_model_whose_name_tells_the_type_is_asked_without():
    assert "input_type" not in payload("nim_embeddings", text="a", model="e5-query")


@pytest.mark.parametrize(
    ("turn", "inputs", "input_type"),
    [
        ({"images": ["data:image/png;base64,AA"]}, ["data:image/png;base64,AA"], "passage"),
        ({"text": "a cat", "images": ["data:x"]}, ["a cat data:x"], "passage"),
        ({"text": "a", "texts": ["b"], "images": ["x", "y"]}, ["a x", "b y"], "passage"),
    ],
)
def test_a_nim_embeds_images_and_pairs_which_are_never_queries(turn, inputs, input_type):
    made = payload("nim_embeddings", **turn)
    assert (made["input"], made["input_type"]) == (inputs, input_type)


@pytest.mark.parametrize(
    ("endpoint_type", "turn", "why"),
    [
        ("embeddings", {}, "a turn holds no text, and the endpoint type 'embeddings' needs one"),
        ("nim_embeddings", {}, "a turn holds no text, and the endpoint type 'nim_embeddings' needs one"),
        ("embeddings", {"text": "a", "images": ["x"]}, "a turn holds 1 images"),
        ("nim_embeddings", {"text": "a", "audios": ["x"]}, "a turn holds 1 audios"),
        (
            "nim_embeddings",
            {"text": "a", "images": ["x", "y"]},
            "1 texts and 2 images cannot be embedded in pairs",
        ),
    ],
)
def test_what_cannot_be_embedded_is_refused(endpoint_type, turn, why):
    with pytest.raises(ConfigurationError, match=why):
        payload(endpoint_type, **turn)


def test_a_conversation_is_refused():
    turns = [Turn(text="a"), Turn(text="b", role="assistant"), Turn(text="c")]
    with pytest.raises(ConfigurationError, match="a request holds 3 turns"):
        endpoint_of("embeddings").format_payload(RequestInfo(turns=turns, model="m", streaming=False))


def test_a_vector_in_base64_is_one_too():
    answer = {"data": [{"object": "embedding", "index": 0, "embedding": "AACAPw=="}]}
    facts = endpoint_of("embeddings").read_response(answer)
    assert (facts.content, facts.finished, facts.error_message, facts.input_tokens) == (
        (0,),
        True,
        None,
        None,
    )
