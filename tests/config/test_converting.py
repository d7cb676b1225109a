"""From flat options to the validated whole (systems.md B6, B8, D3, D5)."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import _KEYS, to_aiperf_config
from pytest_aiperf.config.tolerance import Tolerance

URL = "http://localhost:8000"
GIVEN = {
    "model": "m",
    "endpoint_type": "chat",
    "streaming": False,
    "request_timeout": 7.5,
    "extra_inputs": {"ignore_eos": True},
    "concurrency": 4,
    "request_count": 50,
    "isl": 11,
    "osl": 12,
    "seed": 0,
    "mode": "measure",
    "max_time": 30.0,
    "max_mde": 0.1,
    "strict": True,
}


def test_nothing_given_emits_nothing():
    config = to_aiperf_config(CLIConfig(), url=URL)
    emitted = {name: section.model_fields_set for name, section in config}
    assert emitted == {
        "endpoint": {"url"},
        "load": set(),
        "input": set(),
        "verdict": {"tolerance"},
    }


def test_the_defaults_of_options_and_configuration_agree():
    config, options = to_aiperf_config(CLIConfig(), url=URL), CLIConfig()
    for option, (section, key) in _KEYS.items():
        if getattr(options, option) is not None:
            assert getattr(getattr(config, section), key) == getattr(options, option), option


@pytest.mark.parametrize("option", GIVEN)
def test_a_given_option_reaches_its_key_and_no_other(option):
    section, key = _KEYS[option]
    config = to_aiperf_config(CLIConfig(**{option: GIVEN[option]}), url=URL)
    assert getattr(getattr(config, section), key) == GIVEN[option]
    assert getattr(config, section).model_fields_set - {"url", "tolerance"} == {key}


def test_every_converted_option_is_tried_here():
    assert GIVEN.keys() == _KEYS.keys()


def test_a_dumped_configuration_loads_to_the_same_one():
    config = to_aiperf_config(
        CLIConfig(**GIVEN), url=URL, tolerance={"ttft.p50": "15% or 5ms"}, metrics=["itl.p50"]
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
