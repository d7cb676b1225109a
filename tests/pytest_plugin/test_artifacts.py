"""`--aiperf-artifacts`: every request of every run, alone and under xdist, beside a document that fits its schema."""

from __future__ import annotations

import json
from itertools import chain

import pytest
from perf_suite import FAST
from schemas import assert_result

KEY = "sk-very-secret-0815"
TESTS = """
    import pytest

    LOAD = dict(concurrency=8, isl=8, osl=4, request_count=20)

    @pytest.mark.aiperf(**LOAD, judge=False)
    @pytest.mark.parametrize("part", ["../../up", "b"])
    def test_chat(aiperf, part):
        aiperf.run()

    @pytest.mark.aiperf(**LOAD, judge=False, validity={"client_cpu_share": 0})
    def test_invalid(aiperf):
        aiperf.run(name="strict")

    @pytest.mark.aiperf(**LOAD, judge=False)
    class TestNowhere:
        @pytest.fixture(scope="class")
        def aiperf_endpoint(self):
            return "http://127.0.0.1:1"

        def test_it(self, aiperf):
            aiperf.run()
"""


def test_every_request_of_every_run_is_written_by_whoever_measured(any_suite, monkeypatch):
    monkeypatch.setenv("AIPERF_API_KEY", KEY)
    root = any_suite.pytester.path
    any_suite.pytester.makepyfile(test_perf=TESTS)
    alien = root / "out" / "requests" / "test_other" / "run-1.jsonl"
    alien.parent.mkdir(parents=True)
    alien.write_text("kept")

    any_suite.run("--aiperf-artifacts=out").assert_outcomes(passed=2, errors=2)
    document = any_suite.document()
    assert_result(document)
    by_test = {m["test"].partition("::")[2]: m for m in document["measurements"]}
    assert len(by_test["test_chat[b]"]["artifacts"]) == 3
    assert by_test["test_invalid"]["verdict"] == "invalid"
    assert by_test["test_invalid"]["artifacts"]
    assert by_test["TestNowhere::test_it"]["artifacts"] == []
    for measurement in by_test.values():
        for path, sent in zip(measurement["artifacts"], chain(*measurement["sent"]), strict=False):
            lines = [json.loads(line) for line in (root / "out" / path).read_text().splitlines()]
            assert sorted(line["index"] for line in lines) == list(range(sent["offered"]))
            assert sum(line["measured"] for line in lines) == 20
    named = {path for m in by_test.values() for path in m["artifacts"]}
    found = {p.relative_to(root / "out").as_posix() for p in (root / "out" / "requests").rglob("*.jsonl")}
    assert found == named | {"requests/test_other/run-1.jsonl"}
    assert alien.read_text() == "kept"
    logs = {path.name for path in (root / "out" / "logs").iterdir()}
    assert logs
    assert logs <= ({"gw0", "gw1"} if "-n2" in any_suite.arguments else {"main"})
    assert not (root / ".aiperf").exists()
    assert not any(KEY.encode() in path.read_bytes() for path in root.rglob("*") if path.is_file())


def test_a_directory_that_cannot_be_made_ends_the_session_before_it_collects(any_suite):
    any_suite.pytester.makepyfile(test_perf="raise AssertionError('collected')")
    (any_suite.pytester.path / "file").write_text("")
    result = any_suite.run("--aiperf-artifacts=file/out", endpoint=FAST)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert "--aiperf-artifacts: cannot make " in text
    assert "collected" not in text


def test_collecting_makes_no_directory_and_without_the_option_nothing_is_kept(suite):
    suite.pytester.makepyfile(test_perf=TESTS)
    suite.run("--aiperf-artifacts=out", "--collect-only")
    assert not (suite.pytester.path / "out").exists()
    suite.run("-k", "b]").assert_outcomes(passed=1, deselected=3)
    (measurement,) = suite.document()["measurements"]
    assert measurement["artifacts"] is None
    assert_result(suite.document())
