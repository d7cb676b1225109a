"""`--aiperf-config`: a file as the weakest place in which options are given (systems.md B5, B9, N)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from test_lightness import imported

import pytest_aiperf.pytest_plugin.config_file  # noqa: F401  # yaml's extension module cannot be imported anew
from pytest_aiperf.pytest_plugin import options

FILE = """\
variables: {users: 2}
endpoint: {url: mock://?ttft_ms=5&itl_ms=1&osl=4}
load:
  concurrency: "{{ users }}"
  requestCount: 30
input: {osl: 4, isl: 8}
verdict: {mode: quick, metrics: [ttft.p50], tolerance: {ttft.p50: 50%}}
output: {jsonPath: results/out.json}
"""
TESTS = """
    import pytest

    @pytest.mark.parametrize("number", [1, 2])
    def test_chat(aiperf, number):
        aiperf.run(request_count=20)
"""


@pytest.fixture
def configured(pytester):
    """The configuration of a session, from arguments and a file."""

    def configured(*arguments, file=None):
        if file is not None:
            pytester.path.joinpath("aiperf.yaml").write_text(file)
        return pytester.parseconfigure("-p", "no:asyncio", *arguments)

    return configured


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["alone", "n2"])
def test_a_file_describes_the_measurements_of_a_session(suite, arguments):
    suite.pytester.makepyfile(test_perf=TESTS)
    folder = suite.pytester.mkdir("conf")
    folder.joinpath("aiperf.yaml").write_text(FILE)
    command = ("--aiperf-config=conf/aiperf.yaml", "--aiperf-isl=9", *arguments)
    result = suite.pytester.runpytest_subprocess(*command, timeout=120)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["aiperf: mock://*, quick, isl=9, config_file=conf/aiperf.yaml"])
    (suite.pytester.path / "out.json").write_bytes((folder / "results" / "out.json").read_bytes())
    for measured in suite.document()["measurements"]:
        load = measured["load"]
        assert {name: load[name] for name in ("concurrency", "request_count", "isl", "osl")} == {
            "concurrency": 2,  # of the file
            "request_count": 20,  # of the call
            "isl": 9,  # of the command line
            "osl": 4,
        }


def test_a_wrong_file_ends_the_session_before_anything_is_collected(suite):
    suite.pytester.makepyfile("raise SystemExit('collected')")
    suite.pytester.path.joinpath("aiperf.yaml").write_text(
        "load:\n  concurency: 1\nverdict: {metrics: [tfft]}\n"
    )
    result = suite.run("--aiperf-config=aiperf.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: configuration file: aiperf.yaml:2: load.concurency: unknown key (did you mean 'concurrency'?)",
            "*aiperf.yaml:3: verdict.metrics: unknown metric 'tfft' (did you mean 'ttft'?)",
        ]
    )
    assert "collected" not in result.stdout.str()


def test_b5_the_file_is_weaker_than_every_other_place(configured, pytester, monkeypatch):
    file = "load: {concurrency: 1, requestCount: 1, workers: 1, warmUp: 1}\n"
    pytester.makeini("[pytest]\naiperf_concurrency = 2\naiperf_request_count = 2\naiperf_workers = 2\n")
    monkeypatch.setenv("AIPERF_REQUEST_COUNT", "3")
    monkeypatch.setenv("AIPERF_WORKERS", "3")
    config = configured("--aiperf-config=aiperf.yaml", "--aiperf-workers=4", file=file)
    names = ("workers", "request_count", "concurrency", "warmup_request_count", "isl")
    assert [options.value_of(config, name) for name in names] == ["4", "3", "2", 1, None]
    assert [layer.source for layer in options.session_layers(config)] == [
        "command line",
        "environment",
        "ini file",
        "aiperf.yaml",
    ]


def test_what_the_plugin_itself_takes_may_stand_in_the_file(configured, pytester):
    file = (
        "verdict: {mode: measure, missing: warn, require: true}\noutput: {columns: [ttft.p50, itl]}\n"
        "baseline: {update: [missing, improved], prune: true, profile: h100, baselineDir: stored}\n"
    )
    config = configured("--aiperf-config=aiperf.yaml", file=file)
    texts = ("mode", "missing", "columns", "profile")
    assert [options.value_of(config, name) for name in texts] == ["measure", "warn", "ttft.p50,itl", "h100"]
    assert options.categories_of(config) == {"missing", "improved"}
    assert options.flag_of(config, "prune")
    assert options.flag_of(config, "require")
    assert options.value_of(config, "baseline_dir") == str(pytester.path / "stored")


def test_a_path_of_the_ini_file_is_relative_to_the_root_directory(pytester, monkeypatch):
    pytester.makeini("[pytest]\naiperf_config_file = conf/aiperf.yaml\naiperf_baseline_dir = stored\n")
    pytester.mkdir("conf").joinpath("aiperf.yaml").write_text("load: {fixedSchedule: day.jsonl}\n")
    monkeypatch.chdir(pytester.mkdir("below"))
    config = pytester.parseconfigure("-p", "no:asyncio", "--rootdir=..", "-c", "../tox.ini")
    assert options.value_of(config, "fixed_schedule") == str(pytester.path / "conf" / "day.jsonl")
    assert options.value_of(config, "baseline_dir") == str(pytester.path / "stored")


def test_a_path_of_the_command_line_is_relative_to_where_pytest_is_started(pytester, monkeypatch):
    pytester.makeini("[pytest]\n")
    below = pytester.mkdir("below")
    below.joinpath("aiperf.yaml").write_text("load: {concurrency: 7}\n")
    monkeypatch.chdir(below)
    config = pytester.parseconfigure("-p", "no:asyncio", "--rootdir=..", "--aiperf-config=aiperf.yaml")
    assert options.value_of(config, "concurrency") == 7
    assert options.file_of(config).shown == "below/aiperf.yaml"


@pytest.mark.parametrize("place", ["command line", "environment", "ini", "file"])
def test_b9_what_is_on_can_be_turned_off_everywhere(configured, pytester, monkeypatch, place):
    arguments, file = ["--aiperf-config=aiperf.yaml"], "verdict: {strict: true}\n"
    ini = "aiperf_strict = true\n"
    if place == "command line":
        arguments.append("--aiperf-no-strict")
        monkeypatch.setenv("AIPERF_STRICT", "true")
    elif place == "environment":
        monkeypatch.setenv("AIPERF_STRICT", "false")
    elif place == "ini":
        ini = "aiperf_strict = false\n"
    else:
        file, ini = "verdict: {strict: off}\n", ""
    pytester.makeini(f"[pytest]\n{ini}")
    config = configured(*arguments, file=file)
    assert options.value_of(config, "strict") is not None
    assert options.flag_of(config, "strict") is False


def test_every_option_that_is_on_or_off_has_a_flag_that_turns_it_off(configured):
    """B9"""
    flags = [option.flag for option in options.OPTIONS if option.kind == "bool"]
    config = configured(*(f"--aiperf-no-{flag}" for flag in flags))
    given = options.command_line_values(config)
    assert len(given) == len(flags)
    assert set(given.values()) == {False}


def test_reading_a_file_imports_nothing_that_measures(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile("def test_ordinary(): pass")
    pytester.path.joinpath("aiperf.yaml").write_text("load: {concurrency: 2}\n")
    command = [sys.executable, "-X", "importtime", "-m", "pytest", "--collect-only"]
    command += ["-p", "pytest_aiperf.pytest_plugin", "--aiperf-config=aiperf.yaml"]
    done = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, timeout=60, check=True)
    names = imported(done.stderr)
    assert "yaml" in names
    assert names.isdisjoint({"numpy", "scipy", "aiohttp", "jinja2", "uvloop"})
