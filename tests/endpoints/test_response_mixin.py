"""Answers of APIs that nobody wrote an endpoint for: rules Q1 to Q7 of the contract."""

from __future__ import annotations

import logging

import jmespath
import pytest
from scripted_api import endpoint_of

from pytest_aiperf.endpoints.answer_shapes import found_in
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, ModelEndpointInfo
from pytest_aiperf.endpoints.raw_endpoint import RawEndpoint
from pytest_aiperf.endpoints.response_mixin import JMESPathResponseMixin
from pytest_aiperf.endpoints.template_endpoint import TemplateEndpoint

ANSWER = {"data": {"answer": "yes"}, "text": "no"}


def reader(query=None, streaming=False):
    return endpoint_of("raw", streaming=streaming, extra={} if query is None else {"response_field": query})


def test_a_query_says_where_the_result_is():
    assert reader("data.answer").text_of([ANSWER]) == "yes"
    assert reader().text_of([ANSWER]) == "no"


def test_q1_a_query_is_compiled_once(monkeypatch):
    """Q1: not with every answer."""
    compiled = []
    compile_query = jmespath.compile
    monkeypatch.setattr(jmespath, "compile", lambda text: compiled.append(text) or compile_query(text))
    endpoint = reader("data.answer")
    for _ in range(3):
        endpoint.read_response(ANSWER)
    assert compiled == ["data.answer"]


@pytest.mark.parametrize("query", ["data..[", "", 5, ["a"]])
def test_q1_a_bad_query_is_logged_and_answers_are_read_as_without_it(query, caplog):
    """Q1."""
    with caplog.at_level(logging.ERROR):
        endpoint = reader(query)
    assert f"response_field {query!r} is not a JMESPath query" in caplog.text
    assert endpoint.text_of([ANSWER]) == "no"
    assert endpoint.read_response(ANSWER).content == [0]


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (False, "false"), ("", ""), ([], "[]")])
def test_q2_nothing_much_is_a_result_too(value, text):
    """Q2: a miss is null, and only a miss has the answer looked through for something else."""
    endpoint = reader("data.answer")
    body = {"data": {"answer": value}, "text": "no"}
    assert endpoint.text_of([body]) == text
    assert (endpoint.read_response(body).content, endpoint.read_response(body).finished) == ([0], True)
    assert endpoint.text_of([{"data": {"answer": None}, "text": "no"}]) == "no"


def test_q2_zero_and_false_are_content_of_a_stream_and_empty_text_holds_nothing():
    """Q2: what is empty is a result, and yet nothing that anybody waits for."""
    messages = [{"x": value, "text": "no"} for value in (0, False, "", [], "a")]
    assert reader("x", streaming=True).read_stream(messages, done=True).content == [0, 1, 4]


@pytest.mark.parametrize("query", ["sum(text)", "join(',', text)", "items[::0]"])
def test_q3_a_query_that_fails_on_an_answer_warns_once_and_the_usual_places_are_looked_at(query, caplog):
    """Q3."""
    endpoint = reader(query)
    body = {"text": "no", "items": [1]}
    with caplog.at_level(logging.WARNING):
        assert endpoint.read_response(body).content == [0]
        assert endpoint.text_of([body]) == "no"
    assert caplog.text.count(f"response_field {query!r} fails on an answer") == 1


@pytest.mark.parametrize("query", [None, "data.answer"])
def test_q4_an_answer_that_is_no_json_is_its_text(query):
    """Q4."""
    endpoint = reader(query)
    assert endpoint.read_response("plain words").content == [0]
    assert endpoint.text_of(["plain words"]) == "plain words"
    assert RawEndpoint.reads_text
    assert TemplateEndpoint.reads_text


VECTOR = [0.5, 1]
RANKING = [{"index": 1, "relevance_score": 0.9}]


@pytest.mark.parametrize(
    ("answer", "kind", "value"),
    [
        ({"data": [{"embedding": VECTOR}], "results": RANKING, "text": "a"}, "embeddings", [VECTOR]),
        ({"embeddings": [VECTOR], "text": "a"}, "embeddings", [VECTOR]),
        ({"embedding": VECTOR, "rankings": RANKING}, "embeddings", [VECTOR]),
        (VECTOR, "embeddings", [VECTOR]),
        ([VECTOR], "embeddings", [VECTOR]),
        ({"results": RANKING, "text": "a"}, "rankings", RANKING),
        ({"rankings": [], "text": "a"}, "rankings", []),
        ([{"index": 0, "score": 0.5, "text": "a"}], "rankings", [{"index": 0, "score": 0.5, "text": "a"}]),
        ({"text": "a", "choices": [{"text": "b"}]}, "text", "a"),
        ({"text": ["a", "b"]}, "text", "ab"),
        ({"content": "a", "text": None}, "text", "a"),
        ({"response": ""}, "text", ""),
        ({"output": "a"}, "text", "a"),
        ({"result": "a"}, "text", "a"),
        ([{"generated_text": "a"}], "text", "a"),
        ({"choices": [{"text": "a"}]}, "text", "a"),
        ({"choices": [{"message": {"content": "a"}}]}, "text", "a"),
        ({"choices": [{"delta": {"content": "a"}}]}, "text", "a"),
        (["a", "b"], "text", "ab"),
        ("a", "text", "a"),
    ],
)
def test_q5_embeddings_are_looked_for_first_then_rankings_then_text(answer, kind, value):
    """Q5."""
    found = found_in(answer)
    assert (found.kind, found.value) == (kind, value)


@pytest.mark.parametrize(
    "answer",
    [None, 3, True, {}, [], [None], {"data": [3]}, {"choices": []}, {"choices": [{"delta": {}}]}, [[True]]],
)
def test_q5_what_has_none_of_these_shapes_is_not_found(answer):
    """Q5."""
    assert found_in(answer) is None


def test_q6_the_mixin_stands_left_of_the_endpoint():
    """Q6: to its right it would lose to the methods that are to be written."""
    for endpoint in (RawEndpoint, TemplateEndpoint):
        order = endpoint.__mro__
        assert order.index(JMESPathResponseMixin) < order.index(BaseEndpoint)

    class WrongWayRound(BaseEndpoint, JMESPathResponseMixin):
        path = ""

        def format_payload(self, request):
            return {}

    with pytest.raises(TypeError, match="abstract"):
        WrongWayRound(ModelEndpointInfo())


def test_q7_a_streamed_message_without_a_match_is_not_content():
    """Q7: nor is it looked through for something else."""
    messages = [
        {"type": "start", "text": "ready"},
        {"delta": {"words": "a"}},
        {"text": "ping"},
        {"delta": {"words": "b"}},
    ]
    endpoint = reader("delta.words", streaming=True)
    facts = endpoint.read_stream(messages, done=False)
    assert (facts.content, facts.first_output) == ([1, 3], 0)
    assert endpoint.text_of(messages) == "ab"


def test_usage_and_errors_of_the_usual_shapes_are_read():
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    assert reader().read_response(ANSWER | {"usage": usage}).output_tokens == 4
    facts = reader(streaming=True).read_stream(
        [ANSWER, {"usage": {"output_tokens": 5, "input_tokens": 6}}], done=True
    )
    assert (facts.input_tokens, facts.output_tokens) == (6, 5)
    for error in ({"error": {"message": "no", "code": 7}}, {"object": "error", "message": "no", "code": 7}):
        for facts in (reader().read_response(error), reader().read_stream([ANSWER, error], done=True)):
            assert (facts.error_message, facts.error_code) == ("no", 7)


def test_an_answer_in_which_nothing_is_found_says_what_to_do():
    facts = reader().read_response({"status": "ok"})
    assert not facts.content
    assert "--aiperf-extra-inputs response_field:QUERY" in facts.error_message
    assert reader("@").read_response({"status": "ok"}).content == [0]
