"""A configuration as a file, and a file as a configuration (systems.md B8, D3, D5)."""

from __future__ import annotations

import re

import pytest
import yaml

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.config.field_maps import KEYS
from pytest_aiperf.config.loader.config_file import read_config_file
from pytest_aiperf.config.loader.envelope import dumped, expanded, whole_config
from pytest_aiperf.config.loader.envelope_keys import FILE_SECTIONS
from pytest_aiperf.config.loader.starting_file import STARTING_FILE
from pytest_aiperf.exporters.config_checks import CONFIG_CHECKS

URL = "http://localhost:8000"


@pytest.fixture
def read(tmp_path):
    """Read a text as a file, with all checks."""

    def read(text):
        path = tmp_path / "aiperf.yaml"
        path.write_text(text, encoding="utf-8")
        return read_config_file(path, shown="aiperf.yaml", environment={}, checks=CONFIG_CHECKS)

    return read


CONFIGURATIONS = [
    {},
    {"concurrency": 4, "benchmark_duration": 5, "workers": "auto"},
    {"request_rate": 12.5, "arrival_pattern": "gamma", "arrival_smoothness": 2, "cache_bust": True},
    {"fixed_schedule": "/abs/trace.jsonl", "fixed_schedule_auto_offset": True, "warmup_request_count": 0},
    {"user_centric_rate": 3, "num_users": 7, "session_turns_mean": 3, "session_turn_delay_mean": 100},
    {"extra_inputs": {"a": {"b": [1, None, True]}, "s": "${X} {{ y }} {% z %}", "on": "off"}},
    {"headers": {"x-tenant": "yes", "x-key": "$KEY"}, "streaming": False, "model": "8", "proxy": "env"},
    {
        "mode": "measure",
        "goodput": {"ttft": 400},
        "validity": {"error_share": 0.1},
        "strict": True,
        "seed": 0,
    },
]


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=lambda options: ",".join(options) or "defaults")
def test_b8_a_dumped_configuration_loads_to_the_same_one(read, options):
    urls = [URL, "http://other:1"]
    tolerance = {"ttft.p50": "15% or 5ms", "itl.p50": 0.05}
    config = to_aiperf_config(CLIConfig(**options), url=urls, tolerance=tolerance, metrics=["ttft.p50"])
    text = dumped(config)
    assert whole_config(read(text)) == config
    assert dumped(whole_config(read(text))) == text


def test_b8_every_key_of_a_dumped_configuration_is_known_and_in_camel_case(read):
    text = dumped(to_aiperf_config(CLIConfig(), url=URL))
    sections = yaml.safe_load(text)
    assert sections.pop("schemaVersion") == "1.0"
    assert sections.keys() <= set(FILE_SECTIONS)
    assert not [key for keys in sections.values() for key in keys if "_" in key]
    assert {"requestCount", "gracePeriodS"} <= sections["load"].keys()
    assert len(read(text).values) > 40


def test_an_expanded_file_has_everything_filled_in_and_says_the_same(read):
    file = read(
        "variables: {n: 8}\nendpoint: {url: 'mock://?osl=4', headers: {x-key: $KEY}}\nload: {concurrency: '{{ n }}'}\n"
        "verdict: {mode: 'off', missing: warn}\nbaseline: {update: all, profile: h100}\n"
    )
    text = expanded(file)
    sections = yaml.safe_load(text)
    assert sections["endpoint"]["url"] == "mock://?osl=4"
    assert sections["endpoint"]["headers"] == {"x-key": "$KEY"}
    assert (sections["load"]["concurrency"], sections["load"]["requestCount"]) == (8, 200)
    assert (sections["verdict"]["mode"], sections["verdict"]["missing"]) == ("off", "warn")
    assert sections["baseline"] == {"update": "all", "profile": "h100"}
    again = read(text)
    assert expanded(again) == text
    assert file.values.items() <= again.values.items()


def test_a_file_without_a_server_is_expanded_without_one(read):
    assert "url" not in yaml.safe_load(expanded(read("load: {concurrency: 2}\n")))["endpoint"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("load: {requestRate: 5, fixedSchedule: f}", r"request_rate and fixed_schedule are different loads"),
        ("load: {arrivalSmoothness: 2}", "arrival_smoothness takes arrival_pattern=gamma"),
        ("endpoint: {url: 'ftp://a'}", "not an http:// or https:// URL"),
    ],
)
def test_a_file_whose_parts_do_not_fit_together_is_no_whole_configuration(read, text, message):
    file = read(text)  # together with other places it may be one
    with pytest.raises(ConfigurationError, match=rf"^aiperf\.yaml: .*{message}"):
        whole_config(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("verdict: {goodput: {tfft: 400}}", r"verdict\.goodput\.tfft: .*tfft.*did you mean 'ttft'"),
        (
            "verdict: {validity: {eror_share: 1}}",
            r"verdict\.validity\.eror_share: there is no check of this name",
        ),
        ("verdict: {tolerance: {tfft.p50: 5%}}", r"verdict\.tolerance\.tfft\.p50: unknown metric 'tfft'"),
        ("verdict: {metrics: [ttft.p51]}", r"verdict\.metrics: unknown statistic 'p51'"),
        ("output: {columns: [tfft]}", r"output\.columns: .*tfft"),
    ],
)
def test_names_of_metrics_and_checks_are_held_against_what_there_is(read, text, message):
    with pytest.raises(ConfigurationError, match=rf"^aiperf\.yaml:1: {message}"):
        read(text)


def test_the_starting_file_is_whole_and_so_is_each_of_its_comments(read):
    assert whole_config(read(STARTING_FILE)).load.concurrency == 8
    commented = re.sub(r"(?m)^( *)# ((?: *)(?:[a-z-]+[A-Za-z0-9.-]*:.*))$", r"\1\2", STARTING_FILE)
    config = whole_config(read(commented))
    assert config.endpoint.model == "my-model"
    assert config.verdict.tolerance.keys() == {"ttft.p50", "ttft.p99"}
    keys = {
        key for section in yaml.safe_load(commented).values() if isinstance(section, dict) for key in section
    }
    assert {"jsonPath", "baselineDir", "warmUp", "requestTimeoutS"} <= keys


def test_every_key_of_the_configuration_is_filled_by_an_option():
    config = to_aiperf_config(CLIConfig(), url=URL)
    filled = {*KEYS.values(), ("endpoint", "url"), ("endpoint", "further_urls")}
    filled |= {("verdict", "tolerance"), ("verdict", "metrics")}
    assert filled == {(name, key) for name, section in config for key in type(section).model_fields}
