"""Rankings: Cohere's, Hugging Face's and NIM's (systems.md Q)."""

from __future__ import annotations

import pytest
from scripted_api import endpoint_of, exchange, json_answer

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.endpoints.base_endpoint import RequestInfo

TURN = Turn(text="why?", texts=["so", "not so"], max_tokens=64)
USAGE = {"prompt_tokens": 12, "total_tokens": 12}
APIS = {
    "cohere_rankings": (
        "/v2/rerank",
        b'{"model":"m","query":"why?","documents":["so","not so"]}',
        {
            "id": "1",
            "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.0}],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        },
    ),
    "hf_tei_rankings": (
        "/rerank",
        b'{"query":"why?","texts":["so","not so"]}',
        [{"index": 1, "score": 0.99, "text": None}, {"index": 0, "score": 0.01, "text": None}],
    ),
    "nim_rankings": (
        "/v1/ranking",
        b'{"model":"m","query":{"text":"why?"},"passages":[{"text":"so"},{"text":"not so"}]}',
        {"rankings": [{"index": 0, "logit": -1.2}, {"index": 1, "logit": -8.2}], "usage": USAGE},
    ),
}


def request(turn=TURN, extra=None):
    return RequestInfo(turns=[turn], model="m", streaming=False, extra=extra or {})


@pytest.mark.parametrize("name", APIS)
def test_a_query_and_its_passages_are_sent_and_their_scores_are_one_content(name):
    path, body, answer = APIS[name]
    sent, records = exchange(name, request(), json_answer(answer))
    assert (sent.line, sent.body) == (f"POST {path} HTTP/1.1", body)
    assert records.outcome.tolist() == [Outcome.OK]
    assert records.content_count().tolist() == [1]
    assert records.input_tokens.tolist() == [12 if name == "nim_rankings" else ABSENT]
    assert records.output_tokens.tolist() == [ABSENT]


def test_tokens_are_read_where_a_server_of_coheres_kind_tells_them():
    answer = APIS["cohere_rankings"][2] | {"usage": {"total_tokens": 56, "prompt_tokens": 56}}
    assert endpoint_of("cohere_rankings").read_response(answer).input_tokens == 56


def test_a_server_with_one_model_is_not_asked_which():
    assert not endpoint_of("hf_tei_rankings").names_model


@pytest.mark.parametrize("name", APIS)
def test_extras_and_the_turns_own_body_win_in_this_order(name):
    turn = Turn(text="why?", texts=["so"], extra_body={"top_n": 2})
    made = endpoint_of(name).format_payload(request(turn, {"top_n": 1, "truncate": "END"}))
    assert (made["top_n"], made["truncate"]) == (2, "END")


@pytest.mark.parametrize("name", APIS)
@pytest.mark.parametrize(
    ("turn", "missing"), [(Turn(texts=["so"]), "no query"), (Turn(text="why?"), "no passages")]
)
def test_a_ranking_without_query_or_passages_is_refused(name, turn, missing):
    with pytest.raises(ConfigurationError, match=f"a ranking needs a query and passages, .* {missing}"):
        endpoint_of(name).format_payload(request(turn))


def test_a_ranking_takes_no_conversation_and_no_media():
    endpoint = endpoint_of("nim_rankings")
    with pytest.raises(
        ConfigurationError, match="a request holds 2 turns, and the endpoint type 'nim_rankings'"
    ):
        endpoint.format_payload(RequestInfo(turns=[TURN, TURN], model="m", streaming=False))
    with pytest.raises(ConfigurationError, match="a turn holds 1 images"):
        endpoint.format_payload(request(Turn(text="why?", texts=["so"], images=["x"])))
