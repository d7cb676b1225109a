"""From flat options to the validated whole (systems.md B6, B8, D3, D5)."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.config.field_maps import KEYS
from pytest_aiperf.config.tolerance import Tolerance

URL = "http://localhost:8000"
GIVEN = {
    "model": "m",
    "endpoint_type": "chat",
    "streaming": False,
    "request_timeout": 7.5,
    "extra_inputs": {"ignore_eos": True},
    "headers": {"x-tenant": "a", "x-key": "$KEY"},
    "transport": "aiohttp",
    "connection_reuse_strategy": "never",
    "connect_timeout": 1.5,
    "first_byte_timeout": 2.5,
    "stall_timeout": 3.5,
    "insecure": True,
    "ca_file": "ca.pem",
    "client_certificate": "own.pem",
    "client_key": "own.key",
    "proxy": "env",
    "concurrency": 4,
    "prefill_concurrency": 3,
    "concurrency_ramp_duration": 2.0,
    "ramp_shape": "exponential",
    "request_rate": 12.5,
    "arrival_pattern": "gamma",
    "arrival_smoothness": 2.0,
    "request_rate_ramp_duration": 4.0,
    "request_count": 50,
    "benchmark_duration": 60.0,
    "benchmark_grace_period": 0.0,
    "warmup_request_count": 0,
    "workers": 2,
    "fixed_schedule": "trace.jsonl",
    "fixed_schedule_start_offset": 5,
    "fixed_schedule_end_offset": 500,
    "fixed_schedule_auto_offset": True,
    "fixed_schedule_speedup": 2.0,
    "user_centric_rate": 3.0,
    "num_users": 7,
    "request_cancellation_rate": 10.0,
    "request_cancellation_delay": 0.5,
    "cache_bust": True,
    "session_turns_mean": 3,
    "session_turn_delay_mean": 100.0,
    "goodput": {"ttft": 400.0},
    "validity": {"error_share": 0.1},
    "custom_endpoint": "/v1/custom",
    "download_video_content": True,
    "input_file": "data.jsonl",
    "custom_dataset_type": "single_turn",
    "dataset_sampling_strategy": "random",
    "num_dataset_entries": 9,
    "system_prompt": "Be brief.",
    "system_prompt_file": "system.txt",
    "tokenizer": "tokenizer.json",
    "accuracy_grader": "regex",
    "isl_distribution": "lognormal",
    "osl_distribution": "lognormal",
    "seq_dist": "256,128:100",
    "image_format": "jpeg",
    "audio_format": "flac",
    "isl_stddev": 2,
    "isl_block_size": 2,
    "osl_stddev": 2,
    "prompt_batch_size": 2,
    "prefix_prompt_pool_size": 2,
    "prefix_prompt_length": 2,
    "shared_system_prompt_length": 2,
    "user_context_prompt_length": 2,
    "session_turns_stddev": 2,
    "session_turn_delay_stddev": 2,
    "session_delay_ratio": 2,
    "rankings_passages_mean": 2,
    "rankings_passages_stddev": 2,
    "rankings_passages_prompt_token_mean": 2,
    "rankings_passages_prompt_token_stddev": 2,
    "rankings_query_prompt_token_mean": 2,
    "rankings_query_prompt_token_stddev": 2,
    "image_width_mean": 2,
    "image_width_stddev": 2,
    "image_height_mean": 2,
    "image_height_stddev": 2,
    "image_batch_size": 2,
    "audio_length_mean": 2,
    "audio_length_stddev": 2,
    "audio_batch_size": 2,
    "audio_sample_rate": 2000,
    "audio_num_channels": 2,
    "video_duration": 2,
    "video_fps": 2,
    "video_width": 16,
    "video_height": 16,
    "video_batch_size": 2,
    "isl": 11,
    "osl": 12,
    "seed": 0,
    "mode": "measure",
    "num_profile_runs": 5,
    "alpha": 0.02,
    "max_time": 30.0,
    "max_mde": 0.1,
    "strict": True,
}


def test_b6_nothing_given_emits_nothing():
    config = to_aiperf_config(CLIConfig(), url=URL)
    emitted = {name: section.model_fields_set for name, section in config}
    assert emitted == {
        "endpoint": {"url", "streaming"},  # the latter by the endpoint's type
        "load": set(),
        "input": set(),
        "verdict": {"tolerance"},
    }


def test_the_defaults_of_options_and_configuration_agree():
    config, options = to_aiperf_config(CLIConfig(), url=URL), CLIConfig()
    for option, (section, key) in KEYS.items():
        if getattr(options, option) is not None:
            assert getattr(getattr(config, section), key) == getattr(options, option), option


COMPANIONS = {
    "client_key": {"client_certificate"},
    "concurrency_ramp_duration": {"concurrency"},
    "arrival_smoothness": {"arrival_pattern", "request_rate"},
    "request_rate_ramp_duration": {"request_rate"},
    "fixed_schedule_start_offset": {"fixed_schedule"},
    "fixed_schedule_end_offset": {"fixed_schedule"},
    "fixed_schedule_auto_offset": {"fixed_schedule"},
    "fixed_schedule_speedup": {"fixed_schedule"},
    "user_centric_rate": {"num_users"},
    "num_users": {"user_centric_rate"},
    "request_cancellation_delay": {"request_cancellation_rate"},
    "session_turn_delay_mean": {"session_turns_mean"},
    "session_turn_delay_stddev": {"session_turn_delay_mean", "session_turns_mean"},
    "custom_dataset_type": {"input_file"},
    "accuracy_grader": {"input_file"},
    "isl_block_size": {"input_file"},
    "session_delay_ratio": {"session_turn_delay_mean", "session_turns_mean"},
    "isl_distribution": {"isl_stddev"},
    "osl_distribution": {"osl_stddev"},
    "prefix_prompt_pool_size": {"prefix_prompt_length"},
    "prefix_prompt_length": {"prefix_prompt_pool_size"},
    "image_width_mean": {"image_height_mean"},
    "image_height_mean": {"image_width_mean"},
    "image_width_stddev": {"image_width_mean", "image_height_mean"},
    "image_height_stddev": {"image_width_mean", "image_height_mean"},
    "image_batch_size": {"image_width_mean", "image_height_mean"},
    "image_format": {"image_width_mean", "image_height_mean"},
    "audio_length_stddev": {"audio_length_mean"},
    "audio_batch_size": {"audio_length_mean"},
    "audio_format": {"audio_length_mean"},
    "audio_sample_rate": {"audio_length_mean"},
    "audio_num_channels": {"audio_length_mean"},
    "video_fps": {"video_duration"},
    "video_width": {"video_duration"},
    "video_height": {"video_duration"},
    "video_batch_size": {"video_duration"},
}
"""Options that say something only beside others."""


def given_with_companions(option):
    return {name: GIVEN[name] for name in (option, *COMPANIONS.get(option, ()))}


@pytest.mark.parametrize("option", GIVEN)
def test_b6_a_given_option_reaches_its_key_and_no_other(option):
    section, key = KEYS[option]
    config = to_aiperf_config(CLIConfig(**given_with_companions(option)), url=URL)
    others = {KEYS[name][1] for name in COMPANIONS.get(option, ())}
    assert getattr(getattr(config, section), key) == GIVEN[option]
    always = {"url", "tolerance", "streaming"} - {key}
    assert getattr(config, section).model_fields_set - always - others == {key}


@pytest.mark.parametrize("option", COMPANIONS)
def test_an_option_without_what_it_belongs_to_is_refused(option):
    with pytest.raises(ConfigurationError, match=r" takes | without "):
        to_aiperf_config(CLIConfig(**{option: GIVEN[option]}), url=URL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"request_rate": 5, "fixed_schedule": "f"}, "request_rate and fixed_schedule are different loads"),
        (
            {"request_rate": 5, "user_centric_rate": 5, "num_users": 2},
            "request_rate and user_centric_rate are",
        ),
        (
            {"fixed_schedule": "f", "fixed_schedule_start_offset": 9, "fixed_schedule_end_offset": 8},
            "fixed_schedule_start_offset=9 lies after fixed_schedule_end_offset=8",
        ),
        (
            {"fixed_schedule": "f", "fixed_schedule_auto_offset": True, "fixed_schedule_start_offset": 9},
            "say different things",
        ),
        ({"concurrency": 2, "prefill_concurrency": 3}, "prefill_concurrency=3 is more than concurrency=2"),
        ({"prefill_concurrency": 3, "request_rate": 1, "streaming": False}, "takes streaming"),
        (
            {"session_turns_mean": 2, "fixed_schedule": "f"},
            "fixed_schedule does not go with session_turns_mean",
        ),
        ({"transport": "wire", "proxy": "http://p:3128"}, "transport=wire knows no proxy"),
        ({"proxy": "socks5://p:1080"}, "is not of the form http://host:port"),
        ({"insecure": True, "ca_file": "ca.pem"}, "give one of them"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        to_aiperf_config(CLIConfig(**options), url=URL)


def test_credentials_of_a_proxy_are_refused_and_never_shown():
    with pytest.raises(ConfigurationError, match="write proxy=env") as caught:
        to_aiperf_config(CLIConfig(proxy="http://me:s3cret@p:3128"), url=URL)
    assert "s3cret" not in str(caught.value)


def test_a_load_without_times_is_a_closed_loop_of_one():
    load = to_aiperf_config(CLIConfig(), url=URL).load
    assert (load.mode, load.concurrency, load.request_count) == ("concurrency", 1, 200)


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({"request_rate": 5}, "request_rate"),
        ({"fixed_schedule": "f"}, "fixed_schedule"),
        ({"user_centric_rate": 5, "num_users": 2}, "user_centric"),
    ],
)
def test_in_the_open_loop_nothing_limits_the_requests_in_flight_unless_it_is_said(options, mode):
    assert (load := to_aiperf_config(CLIConfig(**options), url=URL).load).mode == mode
    assert load.concurrency is None
    assert to_aiperf_config(CLIConfig(**options, concurrency=9), url=URL).load.concurrency == 9


def test_a_duration_or_a_file_decides_how_many_requests_there_are_unless_it_is_said():
    for options in ({"benchmark_duration": "5s"}, {"fixed_schedule": "f"}):
        assert to_aiperf_config(CLIConfig(**options), url=URL).load.request_count is None
        assert to_aiperf_config(CLIConfig(**options, request_count=9), url=URL).load.request_count == 9


def test_several_urls_are_used_in_turn():
    config = to_aiperf_config(CLIConfig(), url=["http://a/", "http://b:81/v1"])
    assert config.endpoint.urls == ("http://a", "http://b:81/v1")
    with pytest.raises(ConfigurationError, match=r"further_urls: 'ftp://b' is not an http"):
        to_aiperf_config(CLIConfig(), url=["http://a", "ftp://b"])


def test_every_converted_option_is_tried_here():
    assert GIVEN.keys() == KEYS.keys()


APART = {
    "request_rate",
    "arrival_pattern",
    "arrival_smoothness",
    "request_rate_ramp_duration",
    "dataset_sampling_strategy",
    "session_delay_ratio",
    "custom_dataset_type",
    "accuracy_grader",
    "isl_block_size",
    "fixed_schedule",
    "fixed_schedule_start_offset",
    "fixed_schedule_end_offset",
    "fixed_schedule_speedup",
    "fixed_schedule_auto_offset",
    "user_centric_rate",
    "num_users",
    "session_turns_mean",
    "session_turn_delay_mean",
    "insecure",
    "prefill_concurrency",
    "session_turn_delay_stddev",
    "input_file",
    "seq_dist",
    "system_prompt",
    "system_prompt_file",
}
"""Options that some other one excludes."""
TOGETHER = {name: value for name, value in GIVEN.items() if name not in APART}


def test_b8_a_dumped_configuration_loads_to_the_same_one():
    config = to_aiperf_config(
        CLIConfig(**TOGETHER), url=URL, tolerance={"ttft.p50": "15% or 5ms"}, metrics=["itl.p50"]
    )
    assert AIPerfConfig.model_validate(config.model_dump()) == config
    assert AIPerfConfig.model_validate_json(config.model_dump_json()) == config
    assert "requestCount" in config.model_dump()["load"]


def test_configuration_is_read_in_snake_and_camel_case():
    snake = {"endpoint": {"url": URL, "request_timeout_s": 5}, "verdict": {"max_mde": 0.1}}
    camel = {"endpoint": {"url": URL, "requestTimeoutS": 5}, "verdict": {"maxMde": 0.1}}
    assert AIPerfConfig.model_validate(snake) == AIPerfConfig.model_validate(camel)


def test_tolerances_and_metrics_reach_the_verdict():
    config = to_aiperf_config(CLIConfig(), url=URL, tolerance={"ttft.p99": "15%"}, metrics=["ttft.p99"])
    assert config.verdict.tolerance == {"ttft.p99": Tolerance(relative=0.15)}
    assert config.verdict.metrics == ("ttft.p99",)


def test_a_wrong_tolerance_is_refused_in_one_line():
    with pytest.raises(ConfigurationError, match="tolerance 'lots' is not a share") as caught:
        to_aiperf_config(CLIConfig(), url=URL, tolerance={"ttft.p50": "lots"})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", [URL, "https://h", "http://[::1]:80/prefix", "HTTP://Host:8000/v1", "http://h/"]
)
def test_a_usable_url_is_taken_without_its_last_slash(url):
    assert to_aiperf_config(CLIConfig(), url=url).endpoint.url == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "not an http:// or https:// URL"),
        ("ftp://h", "not an http:// or https:// URL"),
        ("", "not an http:// or https:// URL"),
        ("http://", "names no host"),
        ("http://:8000", "names no host"),
        ("http://h:99999", "Port out of range|port out of range"),
        ("http://[::1", "Invalid IPv6|invalid IPv6"),
        ("http://h?api-version=1", r"has a \? or # part"),
        ("http://h/#x", r"has a \? or # part"),
    ],
)
def test_an_unusable_url_is_refused_and_the_key_is_named(url, message):
    with pytest.raises(ConfigurationError, match=rf"^endpoint\.url: .*({message})"):
        to_aiperf_config(CLIConfig(), url=url)


@pytest.mark.parametrize(
    "url", ["http://user:s3cret@h", "http://s3cret@h", "http://:s3cret@h", "ftp://u:s3cret@h"]
)
def test_credentials_in_the_url_are_refused_and_never_shown(url):
    with pytest.raises(
        ConfigurationError, match="holds credentials; put the API key into AIPERF_API_KEY"
    ) as caught:
        to_aiperf_config(CLIConfig(), url=url)
    assert "s3cret" not in str(caught.value)
