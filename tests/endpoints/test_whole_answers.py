"""What all endpoints whose answers are no text have in common: errors, odd shapes, nothing changed."""

from __future__ import annotations

import copy

import pytest
from scripted_api import endpoint_of, exchange, json_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

IMAGE = "data:image/png;base64,AAAA"
TURNS = {
    "embeddings": {"text": "a"},
    "nim_embeddings": {"text": "a"},
    "cohere_rankings": {"text": "a", "texts": ["b"]},
    "hf_tei_rankings": {"text": "a", "texts": ["b"]},
    "nim_rankings": {"text": "a", "texts": ["b"]},
    "image_generation": {"text": "a"},
    "image_edit": {"text": "a", "images": [IMAGE]},
    "image_retrieval": {"images": [IMAGE]},
    "audio_transcription": {"audios": ["data:audio/wav;base64,AAAA"]},
    "solido_rag": {"text": "a"},
}
ODD = [
    None,
    3,
    "x",
    [],
    [3],
    [{}],
    {},
    {"data": None},
    {"data": []},
    {"data": 3},
    {"data": [3]},
    {"data": [{}]},
    {"data": [{"embedding": []}]},
    {"data": {"a": 1}},
    {"results": [{"index": 0}]},
    {"rankings": {"a": 1}},
    {"text": 3},
    {"content": None},
]
HARMLESS = {("image_retrieval", str(odd)) for odd in ODD if isinstance(odd, dict) and odd.get("data")}
"""What a NIM finds in images has many shapes."""


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("odd", ODD, ids=str)
def test_an_answer_of_another_shape_is_an_error_and_never_raises(name, odd):
    facts = endpoint_of(name).read_response(odd)
    if (name, str(odd)) not in HARMLESS:
        assert facts.error_message.startswith("the answer is not ")
        assert (facts.content, facts.finished) == ((), False)
    endpoint_of(name, streaming=True).read_stream([odd], done=True)
    endpoint_of(name, streaming=True).read_stream([], done=False)


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        ({"error": {"message": "no", "code": 503}}, "no", 503),
        ({"error": "no", "error_type": "Validation"}, "no", None),
        ({"object": "error", "message": "no", "code": 400}, "no", 400),
    ],
)
def test_an_error_in_an_answer_is_found(name, error, message, code):
    facts = endpoint_of(name).read_response(error)
    assert (facts.content, facts.error_message, facts.error_code) == ((), message, code)


@pytest.mark.parametrize("name", TURNS)
def test_r9_nothing_that_was_given_is_changed(name):
    given = {"extra": {"filters": {"a": [1]}, "n": 1}, "turn": {**TURNS[name], "extra_body": {"n": [2]}}}
    before = copy.deepcopy(given)
    asked = RequestInfo(turns=[Turn(**given["turn"])], model="m", streaming=False, extra=given["extra"])
    made = endpoint_of(name).format_payload(asked)
    assert made["n"] == [2]
    assert given == before


@pytest.mark.parametrize("name", sorted(TURNS.keys() - {"audio_transcription", "solido_rag"}))
def test_answers_that_are_no_text_cannot_be_graded(name):
    with pytest.raises(NotImplementedError, match="has no text that an answer could be graded by"):
        endpoint_of(name).text_of([{"data": []}])


@pytest.mark.parametrize("name", TURNS)
def test_a_server_that_refuses_is_quoted(name):
    asked = RequestInfo(turns=[Turn(**TURNS[name])], model="m", streaming=False)
    _, records = exchange(name, asked, json_answer({"error": {"message": "too large"}}, "413 Too Large"))
    assert records.outcome.tolist() == [Outcome.ERROR]
    assert "HTTP 413: too large" in str(records.errors)
