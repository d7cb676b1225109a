"""What a session writes and prints for machines and for those who review: Markdown, GitHub, columns, verbosity."""

from __future__ import annotations

import http.server
import re
import threading

import pytest
from perf_suite import FAST, Suite

MIXED = """
    import pytest

    pytestmark = pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)

    @pytest.mark.aiperf(judge=False)
    def test_fine(aiperf):
        aiperf.run()

    @pytest.mark.aiperf(judge=False)
    def test_own(aiperf):
        result = aiperf.run()
        assert result.ttft.p50 < 0.001

    @pytest.mark.aiperf(judge=False, slo={"ttft.p50": 0.001})
    def test_limit(aiperf):
        aiperf.run()

    def test_new(aiperf):
        aiperf.run()

    def test_wrong(aiperf):
        aiperf.run(fixed_schedule="nowhere.jsonl")
"""
QUICK = """
    import pytest

    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, judge=False)
    def test_chat(aiperf):
        aiperf.run()
"""


@pytest.fixture
def on_github(pytester, monkeypatch):
    """A step of a workflow; returns the file for its summary."""
    summary = pytester.path / "step.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))
    return summary


def commands(result):
    return [line for line in result.outlines if line.startswith("::")]


def test_every_outcome_is_in_the_markdown_the_step_summary_and_the_annotations_once(any_suite, on_github):
    any_suite.pytester.makepyfile(test_perf=MIXED)
    on_github.write_text("what was there")
    result = any_suite.run("--aiperf-markdown=new/out.md", "-v")
    result.assert_outcomes(passed=1, failed=3, errors=1)

    text = (any_suite.pytester.path / "new" / "out.md").read_text()
    assert text.startswith(
        "**aiperf:** 5 measured, 1 no baseline, 1 invalid, 1 test failed, 1 limit missed\n\n| test |"
    )
    assert re.findall(r"^\| `test_perf.py::(\w+)` \| ([*\w ]+) \|", text, re.MULTILINE) == [
        ("test_limit", "**LIMIT MISSED**"),
        ("test_own", "**TEST FAILED**"),
        ("test_wrong", "**INVALID**"),
        ("test_new", "**no baseline**"),
        ("test_fine", "measured"),
    ]
    assert text.count("<details>") == 4
    assert "pytest test_perf.py::test_new --aiperf-update=missing\n" in text
    assert on_github.read_text() == f"what was there\n{text}"

    folder = any_suite.pytester.path.name
    where = [
        re.match(rf"::error file={folder}/test_perf.py,line=(\d+),title=(.*?)::", c) for c in commands(result)
    ]
    assert [(int(found[1]), found[2].rpartition("%3A ")[2]) for found in where] == [
        (14, "limit missed"),
        (9, "test failed"),
        (21, "invalid"),
        (18, "no baseline"),
    ]
    summary = [line for line in result.outlines if re.match(r"test_perf.py::\w+  +\S", line)]
    assert [line.split()[0].partition("::")[2] for line in summary][-5:] == [
        "test_limit",
        "test_own",
        "test_wrong",
        "test_new",
        "test_fine",
    ]
    by_test = {one["test"].partition("::")[2]: one for one in any_suite.document()["measurements"]}
    assert by_test["test_own"]["location"] == {"file": "test_perf.py", "line": 9}
    assert by_test["test_own"]["failure"].startswith("assert ")
    assert by_test["test_limit"]["text"].startswith("ttft p50 is ")
    assert {name for name, one in by_test.items() if one["failure"]} == {"test_own"}


def test_where_nothing_is_wrong_there_is_nothing_to_annotate_and_a_full_disk_fails_no_session(
    suite, on_github, monkeypatch
):
    suite.pytester.makepyfile(QUICK)
    on_github.mkdir()  # as good as a file that cannot be written
    result = suite.run("-q", "--aiperf-mode=quick")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    assert commands(result) == []
    told = [line for line in result.outlines if line.startswith("aiperf: ")]
    assert told[0] == "aiperf: 1 measured"
    assert told[1].startswith(f"aiperf: GITHUB_STEP_SUMMARY: cannot write {on_github}: ")
    assert len(told) == 2


def test_another_plugin_that_annotates_is_left_to_it_and_a_summary_that_is_full_stays_as_it_is(
    suite, on_github
):
    suite.pytester.makepyfile(QUICK)
    suite.pytester.makeconftest(
        """
        def pytest_configure(config):
            config.pluginmanager.register(object(), "pytest_github_actions_annotate_failures")
        """
    )
    on_github.write_text("x" * 1_048_550)
    result = suite.run(endpoint="http://127.0.0.1:9")
    result.assert_outcomes(errors=1)
    assert commands(result) == []
    result.stdout.fnmatch_lines(["aiperf: GITHUB_STEP_SUMMARY is full: *"])
    assert on_github.stat().st_size == 1_048_550


def test_without_a_terminal_files_are_written_and_nothing_is_printed(suite, on_github):
    suite.pytester.makepyfile(QUICK)
    result = suite.run("-p", "no:terminal", "--aiperf-markdown=out.md", endpoint="http://127.0.0.1:9")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.outlines == []
    text = (suite.pytester.path / "out.md").read_text()
    assert "| **INVALID** |" in text
    assert on_github.read_text() == f"\n{text}"


def test_markdown_that_cannot_be_written_fails_the_session_and_without_a_measurement_there_is_no_summary(
    any_suite, on_github
):
    any_suite.pytester.makepyfile("def test_ordinary(): pass")
    (any_suite.pytester.path / "file").write_text("")
    result = any_suite.run("--aiperf-markdown=file/out.md")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["aiperf: --aiperf-markdown: cannot write */file/out.md: *"])
    assert not on_github.exists()
    assert any_suite.document()["measurements"] == []


def test_quietly_it_takes_two_lines_and_more_quietly_none_when_all_is_well(suite):
    suite.pytester.makepyfile(test_perf=QUICK.replace(", judge=False", ""))
    result = suite.run("-q", "--aiperf-update")
    assert [line for line in result.outlines if "aiperf" in line] == [
        "aiperf: 1 measured, 1 recorded",
        "aiperf: 1 baseline written to __aiperf__/default/test_perf: commit them",
    ]
    silent = suite.run("-qq", "--aiperf-mode=quick")
    assert silent.ret == pytest.ExitCode.OK
    assert [line.split()[0] for line in silent.outlines if line] == ["."]


def test_the_columns_that_are_named_are_shown_at_any_width(suite, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    suite.pytester.makepyfile(test_perf=QUICK)
    suite.pytester.makeini("[pytest]\naiperf_columns = latency.p95, errors, throughput, itl.max, osl\n")
    result = suite.run("--aiperf-mode=quick")
    result.stdout.re_match_lines(
        [
            r"test_perf.py::test_chat  measured      latency p95 [\d.]+ ms$",
            r"    errors 0 %  [\d.]+ req/s  itl max [\d.]+ ms  osl 4 tokens$",
            r"1 measured$",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize("source", ["command line", "ini file", "environment"])
def test_an_unknown_column_ends_the_run_before_collection(pytester, monkeypatch, source):
    pytester.makepyfile("raise RuntimeError('collected')")
    value = "ttft.p50,itll.p99"
    if source == "ini file":
        pytester.makeini(f"[pytest]\naiperf_columns = {value}\n")
    if source == "environment":
        monkeypatch.setenv("AIPERF_COLUMNS", value)
    given = [f"--aiperf-columns={value}"] if source == "command line" else []
    result = Suite(pytester).run(*given, endpoint=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*: unknown metric 'itll' (did you mean 'itl'?)"])


def test_what_a_server_says_cannot_colour_the_screen_or_command_the_workflow(suite, on_github):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response_only(500, "\x1b[31mred\x07 %0A::stop-commands::x @all |")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        suite.pytester.makepyfile(QUICK)
        result = suite.run(endpoint=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
    result.assert_outcomes(errors=1)
    shown = result.stdout.str() + on_github.read_text()
    assert "red" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
    (command,) = commands(result)
    assert " %250A::stop-commands" in command
    assert not re.search(r"(?<![`\w>])@all(?![^<`]*[`<])", on_github.read_text().partition("```text")[0])


def test_require_says_what_to_do_where_all_measurements_failed(suite):
    suite.pytester.makepyfile(QUICK)
    result = suite.run("--aiperf-require", endpoint="http://127.0.0.1:9")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "  cannot reach http://127.0.0.1:9/*: Connection refused. *",
            "aiperf: --aiperf-require: nothing was measured: 1 could not be, for the reasons above",
        ]
    )
    assert FAST not in result.stdout.str()
