"""What a request says: its turn, what was said before it, and what the endpoint makes of it."""

from __future__ import annotations

import json

import pytest

from pytest_aiperf.common.conversation import Expected
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.measure.plan import load_plan
from pytest_aiperf.measure.schedule import build_schedule
from pytest_aiperf.measure.target import find_target
from pytest_aiperf.measure.workload import build_bodies, build_workload
from pytest_aiperf.plugin.testing import mock_plugin

USUAL = {"model": "m", "isl": 4, "osl": 3, "warmup_request_count": 0}


@pytest.fixture
def workload_of(tmp_path):
    def workload_of(*rows, **options):
        given = USUAL | {"request_count": max(len(rows), 1)} | options
        if rows:
            path = tmp_path / "data.jsonl"
            path.write_text("\n".join(map(json.dumps, rows)))
            given["input_file"] = str(path)
        return build_workload(to_aiperf_config(CLIConfig(**given), url="http://h"), model="m")

    return workload_of


def bodies_of(workload):
    return [json.loads(body) for body in workload.bodies]


def test_each_row_has_its_own_length_model_and_fields(workload_of):
    """R2: they are the last turn's."""
    turns = [
        {"text": "a", "max_tokens": 9, "model": "other", "extra": {"top_k": 5}},
        {"text": "b", "extra": {"top_p": 0.5}},
    ]
    workload = workload_of({"turns": turns}, request_count=2, extra_inputs={"top_k": 1})
    first, second = bodies_of(workload)[:2]
    assert (first["model"], first["max_tokens"], first["top_k"]) == ("other", 9, 5)
    assert (second["model"], second["max_tokens"], second["top_k"], second["top_p"]) == ("m", 3, 1, 0.5)
    assert workload.asked_osl is None


def test_what_all_ask_for_is_known_and_what_some_ask_for_is_not(workload_of):
    assert workload_of().asked_osl == 3
    assert workload_of({"text": "a"}, {"text": "b"}).asked_osl == 3
    assert workload_of({"text": "a"}, custom_dataset_type="random_pool").asked_osl == 3
    assert workload_of({"text": "a"}, {"text": "b", "max_tokens": 4}).asked_osl is None
    assert workload_of(seq_dist="4,5:50;4,6:50", request_count=40).asked_osl is None


def test_an_endpoint_without_tokens_is_not_asked_for_any(workload_of):
    told = {"supports_streaming": True, "produces_tokens": False}
    with mock_plugin("endpoint", "tokenless", ChatEndpoint, metadata=told):
        workload = workload_of(endpoint_type="tokenless")
    assert workload.asked_osl is None
    assert all("max_tokens" not in body for body in bodies_of(workload))


def test_a_ranking_endpoint_gets_a_query_and_passages(workload_of):
    (body,) = bodies_of(workload_of(endpoint_type="cohere_rankings", rankings_passages_mean=4))
    assert len(body["documents"]) == 4
    assert len({body["query"], *body["documents"]}) == 5


def test_the_system_prompt_of_the_data_gives_way_to_that_of_the_options(workload_of, tmp_path):
    row = {"turns": [{"role": "system", "text": "theirs"}, {"text": "a"}]}
    (tmp_path / "ours.txt").write_text("ours")
    assert bodies_of(workload_of(row))[0]["messages"][0] == {"role": "system", "content": "theirs"}
    for option in ({"system_prompt": "ours"}, {"system_prompt_file": str(tmp_path / "ours.txt")}):
        messages = bodies_of(workload_of(row, **option))[0]["messages"]
        assert [m["content"] for m in messages] == ["ours", "a"]


def test_the_answer_that_stands_in_is_as_long_as_the_one_that_was_asked_for(workload_of):
    row = {"turns": [{"text": "a", "max_tokens": 7}, {"text": "b"}, {"text": "c"}]}
    messages = bodies_of(workload_of(row, request_count=3))[2]["messages"]
    assert [len(m["content"].split()) for m in messages if m["role"] == "assistant"] == [7, 3]


def test_whole_bodies_are_sent_as_they_are(workload_of):
    row = {"model": "x", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, "stream": True}
    workload = workload_of(row, custom_dataset_type="raw_payload")
    assert bodies_of(workload) == [row]
    assert workload.asked_osl is None


def test_expected_answers_go_along_with_their_requests(workload_of):
    rows = [{"text": "1+1", "expected": "2"}, {"text": "hello"}]
    workload = workload_of(*rows)
    assert workload.expected == [Expected(answer="2"), None]
    graded = workload_of(*rows, accuracy_grader="regex")
    assert graded.expected == [Expected(answer="2", grader="regex"), None]
    assert workload.digest != graded.digest
    assert workload_of({"text": "hello"}).expected is None


def test_the_plan_has_the_expected_answers_and_a_probe_has_none(workload_of, tmp_path):
    workload = workload_of({"text": "1+1", "expected": "2"})
    config = to_aiperf_config(CLIConfig(**USUAL), url="http://127.0.0.1:9")
    plan = load_plan(config, find_target(config), workload)
    assert plan.expected == [Expected(answer="2")]


IMAGE = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (
            [{"text": "a"}, {"text": "b", "image": IMAGE}],
            {"endpoint_type": "completions"},
            r"conversation 'row-1' turn 0: a turn holds 1 images, and the endpoint type 'completions' takes none",
        ),
        (
            [{"turns": [{"text": "a"}, {"text": "b"}]}],
            {"endpoint_type": "completions", "request_count": 2},
            r"conversation 'row-0' turn 1: a request holds 3 turns",
        ),
        (
            [{"text": "a"}],
            {"endpoint_type": "raw"},
            r"sends bodies as the data has them, and a turn has none",
        ),
        ([], {"endpoint_type": "raw"}, r"conversation 'prompts-0' turn 0: .* a turn has none"),
        ([{"text": "a"}], {"endpoint_type": "cohere_rankings"}, "this request has no passages"),
        ([{"text": "a", "expected": "("}], {"accuracy_grader": "regex"}, "regular expression '\\(' is none"),
        (
            [{"text": "a", "expected": "b"}],
            {"endpoint_type": "embeddings"},
            "conversation 'row-0' turn 0: an answer is expected, and those of the endpoint type 'embeddings'",
        ),
        ([], {"rankings_passages_mean": 4}, "rankings_passages_mean takes an endpoint type that ranks"),
        (
            [],
            {"endpoint_type": "embeddings", "image_width_mean": 9, "image_height_mean": 9},
            "holds 1 images",
        ),
    ],
)
def test_what_an_endpoint_does_not_take_is_told_before_anything_is_sent(workload_of, rows, options, message):
    with pytest.raises(ConfigurationError, match=message):
        workload_of(*rows, **options)


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ([], {"extra_inputs": {"stream": False}}),
        ([{"text": "a"}, {"text": "b", "extra": {"stream": False}}], {}),
        ([{"messages": [], "stream": False}], {"custom_dataset_type": "raw_payload"}),
        ([], {"streaming": False, "extra_inputs": {"stream": True}}),
    ],
)
def test_nothing_turns_streaming_on_or_off_behind_the_metrics_back(workload_of, rows, options):
    """R10: refused at load time."""
    with pytest.raises(ConfigurationError, match="sets stream to"):
        workload_of(*rows, **options)


@pytest.mark.parametrize(
    ("options", "beginnings"),
    [
        ({}, 1),
        ({"session_turns_mean": 2}, 1),
        ({"shared_system_prompt_length": 5}, 2),
        ({"endpoint_type": "embeddings", "prompt_batch_size": 3}, 3),
        ({"endpoint_type": "cohere_rankings", "rankings_passages_mean": 2}, 3),
    ],
)
def test_with_cache_bust_every_text_that_a_cache_may_know_begins_anew(options, beginnings):
    config = to_aiperf_config(CLIConfig(**(USUAL | {"request_count": 4} | options)), url="http://h")
    schedule = build_schedule(config)
    one, other = (build_bodies(config, schedule, model="m", beginning=word) for word in ("abc-", "xyz-"))
    assert one[0].count(b"abc-") == beginnings
    assert [body.replace(b"abc-", b"xyz-") for body in one] == [*other]


def test_messages_of_the_data_begin_anew_too(tmp_path):
    row = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}], "timestamp": 0}
    (tmp_path / "trace.jsonl").write_text(json.dumps(row))
    given = USUAL | {"fixed_schedule": str(tmp_path / "trace.jsonl")}
    config = to_aiperf_config(CLIConfig(**given), url="http://h")
    (body,) = build_bodies(config, build_schedule(config), model="m", beginning="abc-")
    assert [m["content"] for m in json.loads(body)["messages"]] == ["abc-s", "abc-u"]


def test_whole_bodies_cannot_begin_anew(workload_of, tmp_path):
    workload = workload_of({"messages": [], "model": "m"}, custom_dataset_type="raw_payload")
    given = USUAL | {"input_file": str(tmp_path / "data.jsonl"), "custom_dataset_type": "raw_payload"}
    config = to_aiperf_config(CLIConfig(**given), url="http://h")
    with pytest.raises(ConfigurationError, match="cache_bust changes texts, and the data has whole bodies"):
        build_bodies(config, workload.schedule, model="m", beginning="abc-")
