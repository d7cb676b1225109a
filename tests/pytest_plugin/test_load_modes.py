"""Loads beyond the closed loop of one process, and other ways to the server than plain HTTP, in real runs of pytest."""

from __future__ import annotations

import chat_endpoint
import pytest
from perf_suite import SLOW

from pytest_aiperf.pytest_plugin.option_checks import what_is_wrong
from pytest_aiperf.pytest_plugin.option_table import OPTIONS


def one_test(arguments: str) -> str:
    return f"""
        import pytest

        @pytest.mark.aiperf(isl=8, osl=4, {arguments})
        def test_chat(aiperf):
            aiperf.run()
    """


def measured(suite):
    (measurement,) = suite.document()["measurements"]
    return measurement


def test_an_open_loop_is_recorded_checked_and_caught_when_it_is_slow(suite):
    load = 'request_rate=60, request_count=30, warmup_request_count=5, goodput="ttft:200 latency:500"'
    suite.pytester.makepyfile(one_test(load))
    suite.run("--aiperf-update").assert_outcomes(passed=1)
    recorded = measured(suite)
    assert recorded["load"]["mode"] == "request_rate"
    assert recorded["load"]["request_rate"] == 60
    assert recorded["metrics"]["goodput"]["avg"] == pytest.approx(60, rel=0.4)
    assert recorded["metrics"]["effective_latency"]["count"] == 5 * 30
    assert {(s["offered"], s["sent"]) for s in recorded["sent"][0]} == {(35, 35)}

    slow = suite.run(endpoint=SLOW)
    slow.assert_outcomes(failed=1)
    assert measured(suite)["verdict"] == "regressed"
    slow.stdout.fnmatch_lines(["E * 60 requests/s poisson, 30 requests x *"])


def test_two_processes_share_a_load(suite):
    suite.pytester.makepyfile(one_test("concurrency=4, request_count=40"))
    suite.run("--aiperf-workers=2", "--aiperf-mode=measure").assert_outcomes(passed=1)
    result = measured(suite)
    assert {s["workers"] for s in result["sent"][0]} == {2}
    assert [run["n_ok"] for run in result["sessions"][0]["runs"]] == [40, 40, 40]


def test_the_certificate_of_an_https_endpoint_is_checked_unless_the_user_says_otherwise(suite):
    suite.pytester.makepyfile(one_test("concurrency=2, request_count=10"))
    with chat_endpoint.serving(tls=True) as (url, _):
        refused = suite.run("--aiperf-mode=quick", endpoint=url)
        refused.assert_outcomes(errors=1)
        refused.stdout.fnmatch_lines([f"*the certificate of {url} is not trusted*--aiperf-insecure*"])
        suite.run("--aiperf-mode=quick", "--aiperf-insecure", endpoint=url).assert_outcomes(passed=1)
    result = measured(suite)
    assert (result["insecure"], result["transport"], result["connection_reuse"]) == (True, "wire", "pooled")
    assert result["metrics"]["time_to_first_token"]["count"] == 10


def test_a_secret_header_reaches_the_server_and_nothing_else(suite, monkeypatch):
    monkeypatch.setenv("TENANT_KEY", "sk-0123456789abcdef")
    suite.pytester.makepyfile(one_test("concurrency=1, request_count=5"))
    with chat_endpoint.serving() as (url, seen):
        result = suite.run("--aiperf-mode=quick", "--aiperf-header=x-key:$TENANT_KEY", endpoint=url)
    result.assert_outcomes(passed=1)
    assert len(seen) > 5
    assert {headers["x-key"] for headers in seen} == {"sk-0123456789abcdef"}
    result.stdout.no_fnmatch_line("*0123456789abcdef*")
    kept = [path for path in suite.pytester.path.rglob("*") if path.is_file()]
    assert len(kept) > 1
    assert [path for path in kept if b"0123456789abcdef" in path.read_bytes()] == []


def test_several_servers_take_turns(suite):
    suite.pytester.makepyfile(one_test("concurrency=2, request_count=20"))
    with chat_endpoint.serving() as (one, seen_by_one), chat_endpoint.serving() as (other, seen_by_other):
        suite.run("--aiperf-mode=quick", endpoint=f"{one},{other}").assert_outcomes(passed=1)
    assert measured(suite)["endpoint"] == f"{one},{other}"
    assert abs(len(seen_by_one) - len(seen_by_other)) <= 2  # the first is also asked for its model


def test_a_duration_ends_runs_that_open_a_connection_for_each_request(suite):
    suite.pytester.makepyfile(
        one_test(
            'concurrency=2, benchmark_duration="1s", warmup_request_count=4, connection_reuse_strategy="never"'
        )
    )
    suite.run("--aiperf-mode=measure").assert_outcomes(passed=1)
    result = measured(suite)
    assert result["load"]["benchmark_duration"] == 1
    assert result["connection_reuse"] == "never"
    assert all(0 < run["n_ok"] < 2 / 0.04 for run in result["sessions"][0]["runs"])


IMPOSSIBLE = {
    "request_rate=5, fixed_schedule='x'": "*request_rate and fixed_schedule are different loads*",
    "fixed_schedule='no-such-file'": "*no-such-file: cannot be read: there is no such file*",
    "proxy='http://user:word@proxy'": "*the proxy's URL holds credentials*",
    "goodput='ttft:400', streaming=False": "*goodput: ttft needs streaming=True*",
    "insecure=True, ca_file='ca.pem'": "*give one of them*",
}
WRONG = {
    "goodput='tfft:400'": "*goodput: unknown metric 'tfft' (did you mean 'ttft'?)",
    "validity={'eror_share': 1}": "*there is no check named 'eror_share' (did you mean 'error_share'?)",
    "headers={'authorization': 'Bearer word'}": "*the header 'authorization' looks like a secret*",
    "workers='all'": "*workers='all': input should be a valid integer*",
}


def test_a_load_that_cannot_be_is_an_error_of_its_test_alone(suite):
    files = {f"test_{i}": one_test(arguments) for i, arguments in enumerate([*IMPOSSIBLE, *WRONG])}
    suite.pytester.makepyfile(**files)
    result = suite.run()
    result.assert_outcomes(errors=len(files))
    for message in (*IMPOSSIBLE.values(), *WRONG.values()):
        result.stdout.fnmatch_lines([message])
    for i in range(len(IMPOSSIBLE), len(files)):
        result.stdout.fnmatch_lines([f"*at test_{i}.py:*"])


def test_a_file_of_authorities_that_is_not_there_is_told_by_its_name(suite):
    suite.pytester.makepyfile(one_test("ca_file='no-such-file'"))
    result = suite.run(endpoint="https://127.0.0.1:9")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ca_file '*no-such-file' cannot be read*"])


def test_a_secret_on_the_command_line_ends_the_run_and_is_not_shown(suite):
    suite.pytester.makepyfile(one_test("concurrency=1"))
    result = suite.run("--aiperf-header=x-api-key:0123456789abcdef")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--aiperf-header: the header 'x-api-key' looks like a secret*"])
    result.stderr.no_fnmatch_line("*0123456789abcdef*")


@pytest.mark.parametrize(
    ("field", "text", "problem"),
    [
        ("request_rate", "0", "must be more than 0, got 0"),
        ("request_rate", "inf", "'inf' is not finite"),
        ("workers", "many", "'many' is not a number of processes, or auto"),
        ("workers", "auto", None),
        ("workers", "2", None),
        ("goodput", "ttft", "'ttft' is not key:value"),
        ("goodput", "ttft:400 itl:20", None),
        ("validity", "error_share:high", "error_share:high: 'high' is not a number"),
        ("arrival_pattern", "burst", "'burst' is not one of constant, poisson, gamma"),
        ("benchmark_duration", "soon", "'soon' is not a time (write 90s, 5m or a number of seconds)"),
        ("request_cancellation_rate", "101", "must be at most 100, got 101"),
        ("headers", "x-tenant:a", None),
        ("headers", "x-tenant", "headers are name:value pairs separated by commas, or a JSON object"),
    ],
)
def test_a_text_is_checked_before_collection(field, text, problem):
    option = next(option for option in OPTIONS if option.field == field)
    assert what_is_wrong(option, text) == problem
