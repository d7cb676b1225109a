"""Record, check, catch a slowdown: the plugin's main job, alone and under xdist."""

from __future__ import annotations

import json

import pytest
from perf_suite import FAST, ONE_TEST, SLOW

TWO_TESTS = """
    import pytest

    @pytest.mark.parametrize("concurrency", [6, 8])
    @pytest.mark.aiperf(isl=8, osl=4, request_count=20)
    def test_chat(aiperf, concurrency):
        aiperf.run(concurrency=concurrency)
"""


def test_record_then_check_then_slowdown(any_suite):
    any_suite.pytester.makepyfile(test_perf=TWO_TESTS)

    recorded = any_suite.run("--aiperf-update")
    recorded.assert_outcomes(passed=2)
    assert [m["stored"] for m in any_suite.document()["measurements"]] == ["recorded", "recorded"]
    assert len(any_suite.baselines()) == 2
    before = [path.read_bytes() for path in any_suite.baselines()]

    checked = any_suite.run()
    checked.assert_outcomes(passed=2)
    assert set(any_suite.verdicts()) <= {"pass", "inconclusive"}

    slow = any_suite.run(endpoint=SLOW)
    slow.assert_outcomes(failed=2)
    assert slow.ret == pytest.ExitCode.TESTS_FAILED
    assert any_suite.verdicts() == ["regressed", "regressed"]
    slow.stdout.fnmatch_lines(["FAILED test_perf.py::test_chat* - Regression: * p50 +* -> *"])
    slow.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert [path.read_bytes() for path in any_suite.baselines()] == before


def test_the_failure_names_metric_values_and_command(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.run("--aiperf-update")
    result = suite.run(endpoint=SLOW)
    result.stdout.fnmatch_lines(
        [
            "E * Regression: * p50 +* (* -> * ms), allowed +5 %",
            "E * metric * baseline * now * change (95 % CI) * allowed * detectable*",
            "E * ttft p50 *REGRESSED",
            "E * 8 concurrent, 20 requests x 3 + 3 runs, confirmed in a second session",
            "E * If this is intended:  pytest test_perf.py::test_chat --aiperf-update=regressed",
        ]
    )


def test_the_short_summary_has_the_first_line_only_also_in_ci(suite, monkeypatch):
    monkeypatch.setenv("CI", "true")
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.run("--aiperf-update")
    lines = suite.run(endpoint=SLOW).outlines
    summary = lines[next(i for i, line in enumerate(lines) if "short test summary" in line) :]
    assert summary[1].startswith("FAILED test_perf.py::test_chat - Regression: ")
    assert summary[2].startswith("====")


def test_the_document_holds_verdict_comparisons_and_validity(any_suite):
    any_suite.pytester.makepyfile(test_perf=ONE_TEST)
    any_suite.run("--aiperf-update")
    any_suite.run(endpoint=SLOW)
    document = any_suite.document()
    assert document["schema"] == 1
    assert document["session"]["endpoint"] == SLOW
    (measurement,) = document["measurements"]
    assert measurement["test"] == "test_perf.py::test_chat"
    assert measurement["verdict"] == "regressed"
    assert measurement["transport"] == "wire"
    assert measurement["timestamps"] in ("kernel", "user")
    by_name = {row["metric"]: row for row in measurement["comparisons"]}
    ttft = by_name["time_to_first_token.p50"]
    assert ttft["verdict"] == "regressed"
    assert 0.4 < ttft["change"] < 0.9
    assert ttft["ci95"][0] < ttft["change"] < ttft["ci95"][1]
    assert by_name["error_share"]["verdict"] == "pass"
    assert {"unsent_share", "error_share", "client_cpu_share", "clock_step_ms"} <= {
        row["check"] for row in measurement["validity"]
    }
    figures = measurement["metrics"]["time_to_first_token"]
    assert figures["unit"] == "ms"
    assert figures["count"] == 6 * 20
    assert figures["ci95"]["p50"][0] < figures["p50"] < figures["ci95"]["p50"][1]


def test_a_missing_baseline_fails_with_numbers_and_the_command(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert suite.verdicts() == ["no_baseline"]
    result.stdout.fnmatch_lines(
        [
            "E * no baseline yet for test_perf.py::test_chat",
            "E * ttft * p50 * ms *",
            "E * Record it:  pytest test_perf.py::test_chat --aiperf-update=missing",
        ]
    )
    assert suite.baselines() == []


def test_update_missing_leaves_an_existing_baseline_alone(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.run("--aiperf-update=missing").assert_outcomes(passed=1)
    (path,) = suite.baselines()
    before = path.read_bytes()
    suite.run("--aiperf-update=missing", endpoint=SLOW).assert_outcomes(failed=1)
    assert path.read_bytes() == before


def test_updates_append_sessions_and_an_accepted_slowdown_becomes_the_anchor(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.run("--aiperf-update")
    suite.run("--aiperf-update")
    (path,) = suite.baselines()
    twice = json.loads(path.read_text())
    assert len(twice["sessions"]) == 2
    assert twice["anchor"] == twice["sessions"][0]["id"]

    accepted = suite.run("--aiperf-update=regressed", endpoint=SLOW)
    accepted.assert_outcomes(passed=1)
    after = json.loads(path.read_text())
    assert [s["id"] for s in after["sessions"][:2]] == [s["id"] for s in twice["sessions"]]
    assert after["anchor"] == after["sessions"][2]["id"]

    suite.run(endpoint=SLOW).assert_outcomes(passed=1)


def test_a_changed_load_is_not_comparable(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.run("--aiperf-update")
    suite.pytester.makepyfile(test_perf=ONE_TEST.replace("isl=8", "isl=9"))
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert suite.verdicts() == ["not_comparable"]
    result.stdout.fnmatch_lines(["E * not comparable: isl was 8, is 9", "E * --aiperf-update=all"])


def test_measure_mode_reports_a_regression_and_passes(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.run("--aiperf-update")
    result = suite.run("--aiperf-mode=measure", endpoint=SLOW)
    result.assert_outcomes(passed=1)
    (measurement,) = suite.document()["measurements"]
    assert measurement["verdict"] == "measured"
    assert measurement["comparisons"][0]["verdict"] == "regressed"


def test_quick_mode_makes_one_run_and_compares_nothing(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.run("--aiperf-update")
    suite.run("--aiperf-mode=quick", endpoint=SLOW).assert_outcomes(passed=1)
    (measurement,) = suite.document()["measurements"]
    assert len(measurement["sessions"][0]["runs"]) == 1
    assert measurement["comparisons"] == []


def test_profiles_have_baselines_of_their_own(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.run("--aiperf-update", "--aiperf-profile=h100x1")
    assert [path.parent.parent.name for path in suite.baselines()] == ["h100x1"]
    suite.run().assert_outcomes(failed=1)
    assert suite.verdicts() == ["no_baseline"]


def test_a_failing_server_is_found_by_its_error_share(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.run("--aiperf-update")
    result = suite.run(endpoint=f"{FAST}&error_pct=30")
    result.assert_outcomes(failed=1)
    assert suite.verdicts() == ["regressed"]
    result.stdout.fnmatch_lines(["FAILED * - Regression: errors * % (was 0 %)"])
    assert suite.document()["measurements"][0]["errors"][0]["code"] == 500
