"""pytest's own options do with performance tests what they do with any other test."""

from __future__ import annotations

import socket

import pytest
from perf_suite import ONE_TEST

VERDICTS = """
    import os
    import pytest
    import pytest_aiperf

    def test_1_good():
        pass

    def test_2_ordinary():
        pass

    TEXT = "ttft p50 +37 % (300 -> 412 ms), allowed +5 %\\n\\n  metric   baseline   now\\n  ttft p50 300 ms   412 ms"

    @pytest.mark.aiperf(concurrency=2)
    def test_8_regressed():
        if os.path.exists("mended"):
            pytest.skip("mended")
        raise pytest_aiperf.Regression(TEXT)

    @pytest.mark.aiperf(concurrency=2)
    def test_9_invalid():
        if os.path.exists("mended"):
            pytest.skip("mended")
        raise pytest_aiperf.MeasurementError("error_share is 0.3, allowed is 0.1")
"""
"""What verdicts look like to pytest, without the seconds that it takes to reach them."""


@pytest.fixture
def listener():
    """A server that nobody may connect to: a connection would wait in its backlog."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def connections(listener) -> int:
    """How many have connected."""
    listener.setblocking(False)
    found = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return found
        found += 1


def files(suite) -> list[str]:
    """What lies in the suite's folder; what this and the other pytest leave there aside."""
    everything = (path.relative_to(suite.pytester.path).as_posix() for path in suite.pytester.path.rglob("*"))
    return sorted(path for path in everything if not path.startswith(("__pycache__", "runpytest-", "std")))


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--collect-only", "-q"), "test_perf.py::test_chat"),
        (("--collect-only", "-q", "-n2"), "test_perf.py::test_chat"),
        (("--setup-plan",), "*test_perf.py::test_chat *aiperf*"),
        (("--fixtures",), "aiperf_endpoint [[]session scope[]] -- *"),
    ],
    ids=["collect-only", "collect-only-n2", "setup-plan", "fixtures"],
)
def test_looking_at_tests_reaches_no_server_and_writes_nothing(suite, listener, arguments, shown):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    before = files(suite)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    recording = ("--aiperf-update", "--aiperf-require", "-p", "no:cacheprovider")
    result = suite.run(*recording, *arguments, endpoint=url)
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    result.stdout.fnmatch_lines([shown])
    assert connections(listener) == 0
    assert files(suite) == before


def test_setup_only_sets_fixtures_up_and_measures_nothing(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    result = suite.run("--setup-only")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*SETUP    F aiperf (fixtures used: *"])
    assert suite.verdicts() == []


@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [
        (("-x",), {"passed": 2, "failed": 1}),
        (("--maxfail=2",), {"passed": 2, "failed": 1, "errors": 1}),
        (("-k", "good or ordinary"), {"passed": 2, "deselected": 2}),
        (("-m", "aiperf"), {"failed": 1, "errors": 1, "deselected": 2}),
        (("--deselect=test_perf.py::test_8_regressed",), {"errors": 1, "passed": 2, "deselected": 1}),
        (("test_perf.py::test_1_good", "test_perf.py::test_8_regressed"), {"failed": 1, "passed": 1}),
        (("--aiperf-mode=off", "--durations=0", "-vv"), {"skipped": 2, "passed": 2}),
    ],
    ids=["x", "maxfail", "k", "m", "deselect", "node-ids", "off"],
)
def test_tests_are_selected_and_stopped_as_any_others(suite, arguments, outcomes):
    suite.pytester.makepyfile(test_perf=VERDICTS)
    suite.run(*arguments).assert_outcomes(**outcomes)


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["alone", "n2"])
def test_what_failed_and_what_could_not_be_measured_come_again(suite, arguments):
    suite.pytester.makepyfile(test_perf=VERDICTS)
    suite.run(*arguments).assert_outcomes(failed=1, errors=1, passed=2)
    suite.run("--lf", *arguments).assert_outcomes(failed=1, errors=1)
    (suite.pytester.path / "mended").touch()
    suite.run("--lf", *arguments).assert_outcomes(skipped=2)
    suite.run("--lf", *arguments).assert_outcomes(skipped=2, passed=2)  # nothing is left of them


def test_failed_first_and_stepwise_know_an_error_from_a_pass(suite):
    suite.pytester.makepyfile(test_perf=VERDICTS)
    suite.run("--stepwise").assert_outcomes(passed=2, failed=1)
    suite.run("--stepwise", "--stepwise-skip").assert_outcomes(failed=1, errors=1, deselected=2)
    order = [line for line in suite.run("--ff", "--co", "-q").outlines if "::" in line]
    assert [name.rpartition("::")[2] for name in order[:2]] == ["test_8_regressed", "test_9_invalid"]
