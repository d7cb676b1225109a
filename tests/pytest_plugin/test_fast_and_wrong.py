"""Expected answers in the data of a real pytest: a server that becomes faster and wrong is red."""

from __future__ import annotations

import json

from quiz_server import quiz_server

TEST = """
    import pytest

    @pytest.mark.aiperf(model="quiz", input_file="quiz.jsonl", concurrency=4, request_count=20, osl=4)
    def test_quiz(aiperf):
        aiperf.run()
"""
ROWS = [
    {"text": f"What is {i} + {i + 1}?", "expected": {"answer": rf"\b{2 * i + 1}\b", "grader": "regex"}}
    for i in range(12)
]


def accuracy_in(suite):
    (measurement,) = suite.document()["measurements"]
    (row,) = (row for row in measurement["comparisons"] if row["metric"] == "accuracy")
    return measurement, row


def test_faster_and_wrong_fails_the_build(suite):
    suite.pytester.makepyfile(test_perf=TEST)
    (suite.pytester.path / "quiz.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    with quiz_server(think_s=0.04, knows=True) as url:
        suite.run("--aiperf-update", endpoint=url).assert_outcomes(passed=1)
    with quiz_server(think_s=0.02, knows=False) as url:
        result = suite.run(endpoint=url)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED test_perf.py::test_quiz - Regression: accuracy*"])
    measurement, row = accuracy_in(suite)
    assert measurement["verdict"] == row["verdict"] == "regressed"
    assert measurement["metrics"]["accuracy"]["avg"] == 0.0
    (ttft,) = (row for row in measurement["comparisons"] if row["metric"] == "time_to_first_token.p50")
    assert ttft["change"] < 0


def test_an_expectation_that_cannot_be_is_told_before_any_request(suite):
    suite.pytester.makepyfile(test_perf=TEST)
    rows = [*ROWS, {"text": "What is 1 + 1?", "expected": {"answer": "(2", "grader": "regex"}}]
    (suite.pytester.path / "quiz.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with quiz_server(think_s=0.0, knows=True) as url:
        result = suite.run(endpoint=url)
    result.assert_outcomes(errors=1)
    assert "the expected regular expression '(2' is none" in " ".join(result.stdout.str().split())
