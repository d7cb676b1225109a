"""Where pytest is started and how it is set up: the plugin on, off, by name; ini files of all kinds; directories."""

from __future__ import annotations

import shlex

import pytest
from perf_suite import FAST, ONE_TEST

ORDINARY = "def test_ordinary(): pass"
ENDPOINT = """
    def test_endpoint(aiperf_endpoint):
        assert aiperf_endpoint == "http://from.the.ini:8000"
"""


def run(pytester, *arguments):
    """Run pytest without any option of ours."""
    return pytester.runpytest_subprocess(*arguments, timeout=60)


def test_switched_off_nothing_of_it_is_there(pytester):
    pytester.makepyfile(test_ordinary=ORDINARY, test_perf="def test_perf(aiperf): pass")
    result = run(pytester, "-p", "no:aiperf")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'aiperf' not found"])
    unknown = run(pytester, "-p", "no:aiperf", "--aiperf-mode=off")
    assert unknown.ret == pytest.ExitCode.USAGE_ERROR
    unknown.stderr.fnmatch_lines(["*unrecognized arguments: --aiperf-mode=off"])


def test_an_unknown_option_is_a_usage_error(pytester):
    result = run(pytester, "--aiperf-concurency=8")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unrecognized arguments: --aiperf-concurency=8"])


@pytest.mark.parametrize(
    ("autoload", "arguments", "works"),
    [
        (False, (), False),
        (False, ("-p", "pytest_aiperf.pytest_plugin"), True),
        (False, ("-p", "aiperf", "-p", "xdist", "-n2"), True),
        (True, ("-p", "aiperf"), True),
    ],
    ids=["off", "by-module", "by-name-n2", "by-name-twice"],
)
def test_without_autoload_it_is_silent_until_it_is_named(pytester, monkeypatch, autoload, arguments, works):
    if not autoload:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("AIPERF_ENDPOINT", "http://from.the.ini:8000")
    pytester.makepyfile(test_ordinary=ORDINARY, test_perf=ENDPOINT)
    result = run(pytester, *arguments)
    result.assert_outcomes(**({"passed": 2} if works else {"passed": 1, "errors": 1}))
    assert ("aiperf: http://from.the.ini:8000" in result.stdout.str()) == works


@pytest.mark.parametrize(
    ("name", "section", "line"),
    [
        ("pytest.ini", "pytest", "{} = {}"),
        ("tox.ini", "pytest", "{} = {}"),
        ("setup.cfg", "tool:pytest", "{} = {}"),
        ("pyproject.toml", "tool.pytest.ini_options", "{} = '{}'"),
    ],
    ids=["pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml"],
)
def test_every_kind_of_ini_file_is_read(pytester, name, section, line):
    keys = {
        "aiperf_endpoint": "http://from.the.ini:8000",
        "aiperf_request_count": "33",
        "aiperf_judge": "off",
    }
    lines = "\n".join(line.format(key, value) for key, value in keys.items())
    (pytester.path / name).write_text(f"[{section}]\n{lines}\n")
    pytester.makepyfile(ENDPOINT)
    result = run(pytester, "--strict-config")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["aiperf: http://from.the.ini:8000, check, request_count=33"])


def test_values_of_a_toml_file_need_no_quotes(suite):
    (suite.pytester.path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\naiperf_judge = false\naiperf_request_count = 20\naiperf_streaming = false\n"
    )
    suite.pytester.makepyfile(test_perf=ONE_TEST.replace(", request_count=20", ""))
    suite.run().assert_outcomes(passed=1)  # not judged: nothing misses a baseline
    [measurement] = suite.document()["measurements"]
    assert measurement["load"]["request_count"] == 20
    assert measurement["load"]["streaming"] is False


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("aiperf_judge=flase", "*ini file: aiperf_judge: 'flase' is neither true nor false"),
        ("aiperf_tolerance=ttft.p50 5%", "*ini file: aiperf_tolerance: 'ttft.p50 5%' is not *"),
    ],
)
def test_a_wrong_ini_value_ends_the_run_before_collection(pytester, setting, message):
    pytester.makepyfile(ORDINARY)
    result = run(pytester, "-o", setting)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("tfft.p50 = 5%", "*ini file: aiperf_tolerance: unknown metric 'tfft' (did you mean 'ttft'?)"),
        ("ttft.p50 = little", "*ini file: aiperf_tolerance: tolerance 'little' is not a share or an amount*"),
    ],
)
def test_a_wrong_tolerance_of_the_project_is_an_error_of_the_test(suite, setting, message):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    result = suite.run("-o", f"aiperf_tolerance={setting}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


def test_the_nearest_conftest_wins(pytester):
    override = (
        "import pytest\n@pytest.fixture(scope='session')\ndef aiperf_endpoint(): return 'http://{}:1'\n"
    )
    for folder in (".", "inner", "plain"):
        (pytester.path / folder).mkdir(exist_ok=True)
        name = folder.replace(".", "outer")
        expected = "inner" if folder == "inner" else "outer"
        (pytester.path / folder / f"test_{name}.py").write_text(
            f"def test_endpoint(aiperf_endpoint):\n    assert aiperf_endpoint == 'http://{expected}:1'\n"
        )
    pytester.makeconftest(override.format("outer"))
    (pytester.path / "inner" / "conftest.py").write_text(override.format("inner"))
    run(pytester).assert_outcomes(passed=3)


@pytest.mark.parametrize("rootdir", [(), ("--rootdir=..",)], ids=["found", "given"])
def test_elsewhere_than_in_the_root_commands_and_baselines_are_right(suite, monkeypatch, rootdir):
    tests, elsewhere = suite.pytester.path / "tests", suite.pytester.path / "elsewhere"
    tests.mkdir()
    elsewhere.mkdir()
    suite.pytester.makeini("[pytest]\n")
    suite.pytester.makepyfile(**{"tests/test_perf": ONE_TEST})
    monkeypatch.chdir(elsewhere)
    arguments = ("../tests/test_perf.py::test_chat", *rootdir)
    missing = suite.run(*arguments, "--aiperf-json=../out.json")
    missing.assert_outcomes(failed=1)
    [command] = [line.partition("pytest ")[2] for line in missing.outlines if "Record it:" in line]
    assert command == "../tests/test_perf.py::test_chat --aiperf-update=missing"
    suite.run(*shlex.split(command), *rootdir, endpoint=FAST).assert_outcomes(passed=1)
    [baseline] = suite.baselines()
    assert baseline.is_relative_to(tests / "__aiperf__")
