"""What a user can get wrong: each a clear message at the earliest moment, and nothing is lost."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from perf_suite import FAST, ONE_TEST


def marked(arguments: str) -> str:
    return f"""
        import pytest

        @pytest.mark.aiperf({arguments})
        def test_chat(aiperf):
            aiperf.run()
    """


def test_without_an_endpoint_the_test_is_skipped_with_the_reason(any_suite):
    any_suite.pytester.makepyfile(ONE_TEST)
    result = any_suite.run("-rs", endpoint=None)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * no endpoint: give --aiperf-endpoint=URL or AIPERF_ENDPOINT *"])


def test_require_turns_a_missing_endpoint_into_an_error(any_suite):
    any_suite.pytester.makepyfile(ONE_TEST)
    result = any_suite.run("--aiperf-require", endpoint=None)
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_require_fails_a_session_that_measures_nothing(any_suite):
    any_suite.pytester.makepyfile("def test_ordinary(): pass")
    result = any_suite.run("--aiperf-require")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["aiperf: --aiperf-require: nothing was measured: no test with the aiperf marker *"]
    )


def test_mode_off_skips(suite):
    suite.pytester.makepyfile(ONE_TEST)
    suite.run("--aiperf-mode=off").assert_outcomes(skipped=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("concurency=8", "unknown argument 'concurency' (did you mean 'concurrency'?)"),
        ("concurrency=0", "concurrency=0: input should be greater than or equal to 1"),
        ("concurrency='many'", "concurrency='many': input should be a valid integer*"),
        ("8", "takes keywords only, e.g. aiperf(concurrency=8)"),
        ("tolerance={'tfft.p50': '5%'}", "unknown metric 'tfft' (did you mean 'ttft'?)"),
        ("tolerance={'ttft.p51': '5%'}", "unknown statistic 'p51' in 'ttft.p51'*"),
        ("tolerance={'ttft.p50': 'little'}", "tolerance 'little' is not a share or an amount*"),
        ("metrics=['latenci']", "unknown metric 'latenci' (did you mean 'latency'?)"),
        ("endpoint='http://x'", "unknown argument 'endpoint'*"),
    ],
)
def test_a_wrong_marker_is_an_error_at_setup_with_file_and_line(suite, arguments, message):
    suite.pytester.makepyfile(test_perf=marked(arguments))
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*aiperf marker: *{message.replace('[', '[[]')}", "*at test_perf.py:*"])
    assert suite.baselines() == []


def test_a_wrong_marker_does_not_end_an_xdist_session(pytester, any_suite):
    pytester.makepyfile(test_bad=marked("concurency=8"), test_good="def test_ordinary(): pass")
    any_suite.run().assert_outcomes(errors=1, passed=1)


def test_a_marked_test_that_measures_nothing_fails(suite):
    suite.pytester.makepyfile(
        "import pytest\n@pytest.mark.aiperf(concurrency=1)\ndef test_forgot(aiperf): pass"
    )
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*marked aiperf, but it measured nothing*"])


def test_a_second_unnamed_run_is_an_error_that_says_so(suite):
    suite.pytester.makepyfile(ONE_TEST + "        aiperf.run()\n")
    result = suite.run("--aiperf-update")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a second unnamed run in one test: give each its own name*"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--aiperf-concurrency=none", "*--aiperf-concurrency: 'none' is not a whole number"),
        ("--aiperf-concurrency=0", "*--aiperf-concurrency: must be at least 1, got 0"),
        ("--aiperf-mode=chek", "*--aiperf-mode: 'chek' is not one of check, measure, quick, off"),
        ("--aiperf-max-time=soon", "*--aiperf-max-time: 'soon' is not a time*"),
        ("--aiperf-extra-inputs=ignore_eos", "*--aiperf-extra-inputs: 'ignore_eos' is not key:value*"),
        ("--aiperf-max-time=nan", "*--aiperf-max-time: 'nan' is not*"),
        (
            "--aiperf-update=tests/",
            "*--aiperf-update: 'tests/' is not one of missing, regressed, improved, all*",
        ),
    ],
)
def test_a_wrong_option_ends_the_run_before_collection(suite, option, message):
    suite.pytester.makepyfile(ONE_TEST)
    result = suite.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_wrong_ini_value_names_the_key(suite):
    suite.pytester.makepyfile(ONE_TEST)
    suite.pytester.makeini("[pytest]\naiperf_request_count = lots\n")
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ini file: aiperf_request_count: 'lots' is not a whole number"])


def test_a_wrong_environment_variable_is_named(suite, monkeypatch):
    monkeypatch.setenv("AIPERF_ISL", "-3")
    suite.pytester.makepyfile(ONE_TEST)
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*environment: AIPERF_ISL: must be at least 1, got -3"])


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("http://127.0.0.1:9", "*cannot reach http://127.0.0.1:9/v1/models: Connection refused*"),
        ("http://no-such-host.invalid:8000", "*cannot reach http://no-such-host.invalid:8000/*"),
        ("localhost:8000", "*is not an http:// or https:// URL*"),
        ("mock://?tfft_ms=3", "*unknown option 'tfft_ms' (did you mean 'ttft_ms'?)*"),
        (f"{FAST}&fault=http_404", "* 404*"),
        (f"{FAST}&fault=html", "*html*"),
        (f"{FAST}&fault=http_401", "* 401*"),
        (f"{FAST}&fault=redirect", "*redirect*"),
        (f"{FAST}&fault=truncate", "*truncated*"),
    ],
)
def test_an_unusable_endpoint_is_an_error_of_the_test(suite, endpoint, message):
    suite.pytester.makepyfile(ONE_TEST)
    result = suite.run("--aiperf-update", endpoint=endpoint)
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([message])
    assert suite.verdicts() == ["invalid"]
    assert suite.baselines() == []


def test_a_server_that_is_not_openai_is_told_by_its_answer(suite):
    with page_server() as url:
        suite.pytester.makepyfile(ONE_TEST)
        result = suite.run(endpoint=url)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*did not answer with JSON: is this an OpenAI-compatible server?*"])


def test_a_wrong_model_brings_the_servers_own_message(suite):
    suite.pytester.makepyfile(ONE_TEST)
    result = suite.run("--aiperf-model=gpt-99")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*The model `gpt-99` does not exist*"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "*not JSON*"),
        ('{"schema": 99}', "*written by a newer pytest-aiperf (schema 99*"),
        ("[]", "*not a baseline file*"),
    ],
)
def test_a_broken_baseline_is_an_error_and_stays_as_it_is(suite, text, message):
    suite.pytester.makepyfile(ONE_TEST)
    suite.run("--aiperf-update")
    (path,) = suite.baselines()
    path.write_text(text)
    result = suite.run("--aiperf-update")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    assert path.read_text() == text


def test_a_directory_that_cannot_be_written_is_told_before_measuring(any_suite):
    # A file stands where the directory would be: permissions do not bind root, who runs many CI jobs.
    any_suite.pytester.makepyfile(ONE_TEST)
    (any_suite.pytester.path / "store").write_text("not a directory")
    result = any_suite.run("--aiperf-update", "--aiperf-baseline-dir=store")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*is not a writable directory. Nothing was measured*"])
    assert any_suite.document()["measurements"][0]["sessions"] == []


def test_the_document_is_written_when_nothing_could_be_measured(any_suite):
    any_suite.pytester.makepyfile(ONE_TEST)
    any_suite.run(endpoint="http://127.0.0.1:9")
    (measurement,) = any_suite.document()["measurements"]
    assert measurement["verdict"] == "invalid"
    assert "Connection refused" in measurement["reason"]


def test_junit_tells_errors_from_failures(suite):
    suite.pytester.makepyfile(ONE_TEST)
    suite.run("--junitxml=junit.xml", endpoint="http://127.0.0.1:9")
    text = (suite.pytester.path / "junit.xml").read_text()
    assert 'errors="1"' in text
    assert 'failures="0"' in text


class page_server:
    """A web server that answers everything with a page."""

    def __enter__(self) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<html>hello</html>")

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *exc_info):
        self.server.shutdown()
        self.server.server_close()


def test_the_document_is_strict_json(suite):
    suite.pytester.makepyfile(ONE_TEST)
    suite.run("--aiperf-update")

    def refuse(name):
        raise AssertionError(name)

    json.loads((suite.pytester.path / "out.json").read_text(), parse_constant=refuse)
