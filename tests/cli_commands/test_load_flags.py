"""The load as flags of a command: one declaration, the same names, "given" means given (systems.md B1, B6, B9)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from typing import Annotated

import pytest
from cyclopts import App, Parameter

from pytest_aiperf.cli_commands.load_flags import LOAD_FIELDS, LoadFlags, flag_of, flags_of
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.option_table import parameter_of
from pytest_aiperf.config.resolver import Layer, resolve

GreedyFlags = flags_of(("extra_inputs", "osl"), greedy=True)
SEEN = []
app = App(name="x", result_action="return_value")


@app.default
def command(
    *paths: str, load: Annotated[LoadFlags | None, Parameter(name="*")] = None, sessions: int = 6
) -> None:
    SEEN.append((paths, dict(load.given()) if load else {}))


def given(*arguments):
    app(list(arguments))
    return SEEN.pop()[1]


def test_every_option_that_describes_a_load_is_a_flag():
    marked = {name for name, field in CLIConfig.model_fields.items() if parameter_of(field).marker}
    assert set(LOAD_FIELDS) == (marked - {"against"}) | {"endpoint"}
    assert {f.name for f in fields(LoadFlags)} == set(LOAD_FIELDS)


def value_for(name):
    annotation = str(CLIConfig.model_fields[name].annotation)
    words = ("constant", "exponential", "never", "wire", "lognormal", "exact", "jpeg", "flac", "7")
    return next(w for w in words if w in annotation or w == "7")


@pytest.mark.parametrize("name", LOAD_FIELDS)
def test_it_has_all_names_of_its_declaration(name):
    for flag in parameter_of(CLIConfig.model_fields[name]).name:
        if CLIConfig.model_fields[name].annotation in (bool, bool | None):
            assert given(flag) == {name: True}
            assert given(f"--no-{flag_of(name).removeprefix('--')}") == {name: False}
        else:
            assert given(flag, value_for(name)) == {name: value_for(name)}


def test_what_is_typed_reaches_the_options():
    typed = given(
        "--url=http://x", "--isl", "512", "--num-requests=10", "--no-streaming", "--benchmark-duration", "90s",
        "--goodput", "ttft:400 itl:20", "--header", "x-tenant:a", "--workers", "auto", "base.json",
    )  # fmt: skip
    options = resolve([Layer("command line", typed)])
    assert options.model_dump(include=options.model_fields_set) == {
        "endpoint": "http://x",
        "isl": 512,
        "request_count": 10,
        "streaming": False,
        "benchmark_duration": 90.0,
        "goodput": {"ttft": 400, "itl": 20},
        "headers": {"x-tenant": "a"},
        "workers": 0,
    }


def test_what_is_not_given_emits_nothing_and_zero_and_no_are_given():
    assert given() == {}
    assert given("--warmup-request-count=0", "--no-cache-bust") == {
        "warmup_request_count": "0",
        "cache_bust": False,
    }


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--concurency=8", "Did you mean --concurrency?"),
        ("--ramp-shape=cubic", '"linear", "exponential"'),
        ("--against=http://x", "Unknown option: --against"),
    ],
)
def test_a_wrong_flag_ends_with_status_2_and_the_nearest_name(capsys, argument, message):
    with pytest.raises(SystemExit) as ended:
        app([argument])
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_pairs_and_urls_may_be_given_several_times():
    typed = given(
        "--url=http://a", "-u", "http://b", "--header", "x-a:1", "-H", '{"x-b": "2,3"}', "--goodput=ttft:400",
        "--goodput=itl:20", "base.json",
    )  # fmt: skip
    options = resolve([Layer("command line", typed)])
    assert options.endpoint == "http://a,http://b"
    assert options.headers == {"x-a": "1", "x-b": "2,3"}
    assert options.goodput == {"ttft": 400, "itl": 20}


def test_a_command_without_arguments_lets_a_flag_take_all_values_that_follow():
    seen = []
    greedy = App(result_action="return_value")

    def run(*, load: Annotated[GreedyFlags | None, Parameter(name="*")] = None):
        seen.append(load.given())

    greedy.default(run)
    greedy(["--extra-inputs", "temperature:0.7", "top_p:0.9", "--osl", "3"])
    assert seen == [{"extra_inputs": {"temperature": 0.7, "top_p": 0.9}, "osl": "3"}]


def test_values_that_cannot_be_put_together_are_told_with_their_flag():
    with pytest.raises(ConfigurationError, match=r"^--header: headers are name:value pairs"):
        LoadFlags(headers=("x-a:1", "nothing")).given()


def test_the_environment_gives_the_same_options(monkeypatch):
    monkeypatch.setenv("AIPERF_ENDPOINT", "http://x")
    monkeypatch.setenv("AIPERF_CONCURRENCY", "4")
    monkeypatch.setenv("AIPERF_ISL", "")
    monkeypatch.setenv("AIPERF_ALPHA", "5%")  # not of a load
    found = LoadFlags.environment()
    assert found == {"endpoint": "http://x", "concurrency": "4"}
    assert flags_of(("isl",)).environment() == {}


def test_importing_the_commands_module_imports_no_heavy_package():
    code = (
        "import sys, pytest_aiperf.cli_commands.calibrate\n"
        "heavy = ('numpy', 'scipy', 'aiohttp', 'matplotlib', 'plotly', 'pytest')\n"
        "sys.exit(str([name for name in heavy if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.strip() == "[]"
