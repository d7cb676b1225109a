"""Two servers compared by a real pytest: `--aiperf-against`, and `against=` in a test."""

from __future__ import annotations

import pytest
from perf_suite import FAST, ONE_TEST, SLOW

OWN_SERVERS = """
    import pytest

    @pytest.fixture
    def aiperf_endpoint(aiperf_mock_server):
        return aiperf_mock_server(ttft_ms=40, itl_ms=2, slow_pct=50).url

    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
    def test_chat(aiperf, aiperf_mock_server):
        aiperf.run(against=aiperf_mock_server(ttft_ms=40, itl_ms=2).url)
"""


def test_a_slower_endpoint_fails_and_nothing_is_stored(any_suite):
    any_suite.pytester.makepyfile(test_perf=ONE_TEST)
    result = any_suite.run(f"--aiperf-against={FAST}", endpoint=SLOW)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED test_perf.py::test_chat - Regression: * p50 +* -> *"])
    result.stdout.no_fnmatch_line("*--aiperf-update*")
    assert any_suite.verdicts() == ["regressed"]
    assert any_suite.baselines() == []
    assert not (any_suite.pytester.path / "__aiperf__").exists()


def test_an_endpoint_compared_with_itself_is_not_red(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    result = suite.run(f"--aiperf-against={FAST}")
    result.assert_outcomes(passed=1)
    assert set(suite.verdicts()) <= {"pass", "inconclusive"}


def test_a_test_names_the_other_server_itself(suite):
    suite.pytester.makepyfile(test_perf=OWN_SERVERS)
    suite.run(endpoint=None).assert_outcomes(failed=1)
    (measurement,) = suite.document()["measurements"]
    assert measurement["verdict"] == "regressed"
    assert measurement["against"].startswith("http://127.0.0.1:")


def test_a_session_that_records_compares_where_a_test_names_the_other_server(suite):
    suite.pytester.makepyfile(test_perf=OWN_SERVERS)
    suite.run("--aiperf-update", endpoint=None).assert_outcomes(failed=1)
    assert suite.verdicts() == ["regressed"]
    assert suite.baselines() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--aiperf-against=ftp://x"], "against: 'ftp://x' is not an http:// or https:// URL"),
        (["--aiperf-against=mock://?tftt_ms=3"], "unknown option 'tftt_ms' (did you mean 'ttft_ms'?)"),
        (["--aiperf-against=http://127.0.0.1:1"], "cannot reach http://127.0.0.1:1"),
        ([f"--aiperf-against={FAST}", "--aiperf-update"], "does not go with --aiperf-against"),
    ],
)
def test_what_cannot_be_compared_is_an_error_that_says_why(suite, arguments, words):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    result = suite.run(*arguments)
    result.assert_outcomes(errors=1)
    assert words in " ".join(result.stdout.str().split())
