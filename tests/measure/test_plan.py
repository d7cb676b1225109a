"""Every option that describes a load reaches what the engine is told (systems.md B6)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scripted_load import Server

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.measure.load_key import describe_load, load_key
from pytest_aiperf.measure.plan import load_plan, single_request
from pytest_aiperf.measure.target import find_target
from pytest_aiperf.measure.workload import build_workload
from pytest_aiperf.pytest_plugin.option_table import OPTIONS

USUAL = {"model": "m", "isl": 4, "osl": 3, "request_count": 30, "seed": 7}
RATE = {"request_rate": 20.0}
TRACE = {"fixed_schedule": "trace.jsonl", "warmup_request_count": 2, "request_count": None}
USERS = {"user_centric_rate": 20.0, "num_users": 5}
FEW = {"request_count": 3, "warmup_request_count": 0}
TURNS = {"session_turns_mean": 3, "session_turn_delay_mean": 50.0}
PREFIXES = {"prefix_prompt_pool_size": 2, "prefix_prompt_length": 3}
RANKING = FEW | {"endpoint_type": "cohere_rankings"}
IMAGE = FEW | {"image_width_mean": 20, "image_height_mean": 20}
AUDIO = FEW | {"audio_length_mean": 0.1}
VIDEO = FEW | {"video_duration": 0.5, "video_width": 32, "video_height": 16}
BLOCKS = TRACE | {"fixed_schedule": "blocks.jsonl", "isl_block_size": 15}
ASKED = {"input_file": "asked.jsonl"}
CHANGES = {
    "model": ({}, "n"),
    "streaming": ({}, False),
    "headers": ({}, {"x-tenant": "a"}),
    "extra_inputs": ({}, {"ignore_eos": True}),
    "transport": ({}, "aiohttp"),
    "connection_reuse_strategy": ({}, "never"),
    "request_timeout": ({}, 7.0),
    "connect_timeout": ({}, 7.0),
    "first_byte_timeout": ({}, 7.0),
    "stall_timeout": ({}, 7.0),
    "insecure": ({}, True),
    "ca_file": ({}, "ca.pem"),
    "client_certificate": ({}, "own.pem"),
    "client_key": ({"client_certificate": "own.pem"}, "own.key"),
    "proxy": ({}, "http://127.0.0.1:9"),
    "concurrency": ({}, 3),
    "prefill_concurrency": ({"concurrency": 5}, 3),
    "concurrency_ramp_duration": ({"concurrency": 5}, 3.0),
    "ramp_shape": (RATE | {"request_rate_ramp_duration": 4.0}, "exponential"),
    "request_rate": (RATE, 21.0),
    "arrival_pattern": (RATE, "constant"),
    "arrival_smoothness": (RATE | {"arrival_pattern": "gamma"}, 3.0),
    "request_rate_ramp_duration": (RATE, 4.0),
    "request_count": ({}, 31),
    "benchmark_duration": ({}, 4.0),
    "benchmark_grace_period": ({"benchmark_duration": 4.0}, 1.0),
    "warmup_request_count": ({}, 0),
    "fixed_schedule": (TRACE, "other.jsonl"),
    "fixed_schedule_start_offset": (TRACE, 300),
    "fixed_schedule_end_offset": (TRACE, 900),
    "fixed_schedule_auto_offset": (TRACE, True),
    "fixed_schedule_speedup": (TRACE, 2.0),
    "user_centric_rate": (USERS, 21.0),
    "num_users": (USERS | {"session_turns_mean": 3}, 6),
    "session_turns_mean": ({}, 2),
    "session_turn_delay_mean": ({"session_turns_mean": 2}, 5.0),
    "request_cancellation_rate": ({}, 10.0),
    "request_cancellation_delay": ({"request_cancellation_rate": 10.0}, 1.0),
    "isl": ({}, 5),
    "osl": ({}, 4),
    "seed": ({}, 8),
    "endpoint_type": ({}, "completions"),
    "custom_endpoint": ({}, "/v2/chat"),
    "download_video_content": (FEW | {"endpoint_type": "video_generation"}, True),
    "input_file": (ASKED, "more.jsonl"),
    "custom_dataset_type": (
        {"input_file": "pool.jsonl", "custom_dataset_type": "single_turn"},
        "random_pool",
    ),
    "dataset_sampling_strategy": (ASKED, "shuffle"),
    "num_dataset_entries": ({}, 3),
    "isl_block_size": (BLOCKS, 16),
    "isl_stddev": ({"isl": 40}, 5.0),
    "isl_distribution": ({"isl": 40, "isl_stddev": 15.0}, "lognormal"),
    "seq_dist": ({"seq_dist": "20,9:50;30,5:50"}, "20,9:60;30,5:40"),
    "osl_stddev": ({"osl": 40}, 5.0),
    "osl_distribution": ({"osl": 40, "osl_stddev": 15.0}, "lognormal"),
    "session_turns_stddev": (TURNS, 1.5),
    "session_turn_delay_stddev": (TURNS, 20.0),
    "session_delay_ratio": (TURNS, 0.5),
    "prompt_batch_size": ({"endpoint_type": "embeddings"}, 3),
    "system_prompt": ({"system_prompt": "Be brief."}, "Be long."),
    "system_prompt_file": ({"system_prompt_file": "brief.txt"}, "long.txt"),
    "prefix_prompt_pool_size": (PREFIXES, 3),
    "prefix_prompt_length": (PREFIXES, 4),
    "shared_system_prompt_length": ({}, 4),
    "user_context_prompt_length": ({}, 4),
    "rankings_passages_mean": (RANKING, 4),
    "rankings_passages_stddev": (RANKING, 2.0),
    "rankings_passages_prompt_token_mean": (RANKING, 9),
    "rankings_passages_prompt_token_stddev": (RANKING, 2.0),
    "rankings_query_prompt_token_mean": (RANKING, 9),
    "rankings_query_prompt_token_stddev": (RANKING, 2.0),
    "image_width_mean": (IMAGE, 21),
    "image_width_stddev": (IMAGE, 3.0),
    "image_height_mean": (IMAGE, 21),
    "image_height_stddev": (IMAGE, 3.0),
    "image_batch_size": (IMAGE, 2),
    "audio_length_mean": (AUDIO, 0.2),
    "audio_length_stddev": (AUDIO, 0.05),
    "audio_batch_size": (AUDIO, 2),
    "audio_sample_rate": (AUDIO, 8000),
    "audio_num_channels": (AUDIO, 2),
    "video_duration": (VIDEO, 1.0),
    "video_fps": (VIDEO, 8),
    "video_width": (VIDEO, 48),
    "video_height": (VIDEO, 32),
    "video_batch_size": (VIDEO, 2),
    "accuracy_grader": (ASKED, "regex"),
}
"""Option, what it takes beside it, and a value that is not the usual one."""
ELSEWHERE = {
    "image_format": "jpeg takes the extra media: tests/dataset",
    "audio_format": "flac takes the extra media: tests/dataset",
    "tokenizer": "takes the extra tokenizers: tests/dataset",
    "workers": "how many processes get the plan, below",
    "cache_bust": "the bodies of each run, below",
    "goodput": "a metric",
    "validity": "the checks",
    "against": "a second server, test_paired",
    "num_profile_runs": "how often a plan is sent, test_terms",
}


@pytest.fixture(autouse=True)
def traces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, gap in (("trace.jsonl", 100), ("other.jsonl", 150)):
        rows = [json.dumps({"timestamp": 200 + gap * i}) for i in range(20)]
        (tmp_path / name).write_text("\n".join(rows))
    blocks = [{"timestamp": 100 * i, "input_length": 30, "hash_ids": [1, i]} for i in range(20)]
    asked = [{"text": f"question {i}", "expected": "yes"} for i in range(200)]
    for name, rows in (
        ("blocks.jsonl", blocks),
        ("asked.jsonl", asked),
        ("more.jsonl", asked[1:]),
        ("pool.jsonl", [{"text": f"text {i}"} for i in range(200)]),
    ):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    for name in ("brief", "long"):
        (tmp_path / f"{name}.txt").write_text(f"Be {name}.")


def config_of(options):
    return to_aiperf_config(CLIConfig(**(USUAL | options)), url="https://127.0.0.1:9")


def plan_of(options):
    config = config_of(options)
    target = find_target(config)
    return load_plan(config, target, build_workload(config, model=target.model))


def as_data(plan):
    header, buffers = plan.to_buffers()
    return json.dumps(header, default=str, sort_keys=True), [bytes(b) for b in buffers]


@pytest.mark.parametrize("option", CHANGES)
def test_a_changed_option_changes_what_is_sent(option):
    beside, changed = CHANGES[option]
    assert as_data(plan_of(beside)) == as_data(plan_of(beside))
    assert as_data(plan_of(beside | {option: changed})) != as_data(plan_of(beside))


def test_every_option_of_a_load_is_tried_here():
    assert {option.field for option in OPTIONS if option.marker} == CHANGES.keys() | ELSEWHERE.keys()


SOFT = {
    "headers",
    "transport",
    "request_timeout",
    "connect_timeout",
    "first_byte_timeout",
    "stall_timeout",
    "insecure",
    "ca_file",
    "client_certificate",
    "client_key",
    "proxy",
    "benchmark_grace_period",
}
"""Options that change how requests travel, not what load they are."""


@pytest.mark.parametrize("option", [*CHANGES])
def test_another_load_has_another_key(option):
    beside, changed = CHANGES[option]

    def key(options):
        config = config_of(options)
        workload = build_workload(config, model=options.get("model", "m"))
        return workload.digest, load_key(config)

    assert (key(beside | {option: changed}) == key(beside)) == (option in SOFT)


def test_the_key_of_a_closed_loop_is_what_it_was_before_there_were_others():
    assert load_key(config_of({"concurrency": 8})) == {
        "mode": "concurrency",
        "concurrency": 8,
        "request_count": 30,
        "isl": 4,
        "osl": 3,
        "seed": 7,
        "streaming": True,
        "endpoint_type": "chat",
    }


def test_the_key_has_what_is_not_usual_of_the_input_and_files_without_their_folder():
    usual = load_key(config_of({}))
    given = {
        "input_file": "/one/asked.jsonl",
        "system_prompt_file": "/two/brief.txt",
        "session_delay_ratio": 2.0,
        "seed": 7,
    }
    key = load_key(config_of(given))
    assert {name: key[name] for name in key.keys() - usual.keys()} == {
        "input_file": "asked.jsonl",
        "system_prompt_file": "brief.txt",
        "session_delay_ratio": 2.0,
    }
    long = load_key(config_of({"system_prompt": "word " * 1000}))["system_prompt"]
    assert long.startswith("word word")
    assert len(long) <= 60


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"concurrency": 8}, "8 concurrent, 30 requests"),
        (RATE, "20 requests/s poisson, 30 requests"),
        (
            RATE | {"concurrency": 8, "benchmark_duration": "1m", "request_count": None},
            "20 requests/s poisson, at most 8 concurrent, 60 s",
        ),
        (USERS, "5 users, 20 requests/s, 30 requests"),
        (TRACE | {"fixed_schedule": "/some/where/trace.jsonl"}, "schedule trace.jsonl"),
        ({"input_file": "/some/where/asked.jsonl"}, "1 concurrent, 30 requests, data asked.jsonl"),
    ],
)
def test_a_load_is_named_in_a_few_words(options, words):
    assert describe_load(load_key(config_of(options))) == words


def test_a_probe_is_one_request_at_once():
    plan = plan_of(RATE | {"session_turns_mean": 3, "request_cancellation_rate": 50.0})
    probe = single_request(plan)
    assert isinstance(probe, LoadPlan)
    assert (len(probe.bodies), probe.concurrency, probe.due_ns, probe.cancel_after_ns, probe.after) == (
        1,
        1,
        None,
        None,
        None,
    )


def test_a_run_may_take_as_long_as_its_schedule():
    assert plan_of({}).max_duration_s == 3600
    plan = plan_of({"benchmark_duration": "2h", "benchmark_grace_period": "5m"})
    assert plan.max_duration_s > 7200 + 300


def test_a_count_beside_a_duration_sends_no_request_twice():
    both, duration_alone = ({"benchmark_duration": "1m"} | extra for extra in ({}, {"request_count": None}))
    plan = plan_of(both)
    assert plan.planned == plan.count == len(plan.bodies)
    assert plan_of(duration_alone).planned is None


def test_a_secret_stays_a_name_in_the_plan(monkeypatch):
    monkeypatch.setenv("TENANT_KEY", "sk-1234567890")
    plan = plan_of({"headers": "x-key: $TENANT_KEY"})
    assert plan.headers == {"x-key": "$TENANT_KEY"}
    assert "sk-1234567890" not in repr(plan)


def test_a_variable_that_the_environment_lacks_is_told_before_anything_is_sent(bench, monkeypatch):
    monkeypatch.delenv("TENANT_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=r"the header 'x-key' .* which has no TENANT_KEY"):
        bench.measure(headers={"x-key": "$TENANT_KEY"})
    assert bench.load.probes == 0


def test_with_cache_bust_no_two_runs_send_the_same(bench):
    bench.measure(cache_bust=True)
    first, second = (set(plan.bodies) for plan in bench.load.plans[:2])
    assert not first & second
    bench.record()
    assert bench.measure(cache_bust=True).verdict == "not_comparable"


def test_so_many_processes_are_asked_for_as_the_user_says(bench):
    bench.measure(workers=3)
    assert set(bench.load.workers) == {3}


def test_auto_takes_more_processes_when_the_rehearsal_shows_that_they_are_needed(bench, monkeypatch):
    monkeypatch.setattr("pytest_aiperf.measure.runs.free_cpus", lambda urls: 8)
    bench.measure(workers="auto")
    assert set(bench.load.workers) == {1}
    quick = Server(
        ttft_ms=0.02, itl_ms=0.001
    )  # 40 requests in flight, 23 µs each: far more than one can take
    bench.measure(quick, workers="auto", concurrency=40, mode="measure")
    assert bench.load.workers[:2] == [1, 1]  # probe and rehearsal
    assert set(bench.load.workers[2:]) == {8}


def test_each_of_several_urls_is_asked_before_the_load(bench):
    bench.measure(url=["http://127.0.0.1:9", "http://127.0.0.1:10"])
    assert bench.load.probes == 2


def test_several_urls_are_in_the_plan():
    config = to_aiperf_config(CLIConfig(**USUAL), url=["http://127.0.0.1:9", "http://127.0.0.1:10/v1"])
    target = find_target(config)
    plan = load_plan(config, target, build_workload(config, model="m"))
    assert plan.urls == ("http://127.0.0.1:9/v1/chat/completions", "http://127.0.0.1:10/v1/chat/completions")


def test_columns_of_a_schedule_fit_its_bodies():
    plan = plan_of(USERS | {"session_turns_mean": 3, "request_cancellation_rate": 30.0})
    n = len(plan.bodies)
    assert [len(c) for c in (plan.due_ns, plan.conversation, plan.delay_ns, plan.cancel_after_ns)] == [n] * 4
    assert len(plan.after_offsets) == n + 1
    follower = np.repeat(np.arange(n), np.diff(plan.after_offsets))
    assert (plan.after < follower).all()
