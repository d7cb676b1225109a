"""Under xdist measurements take turns, and the process that the user started is the only one that writes."""

from __future__ import annotations

import json
import os
from datetime import datetime

import pytest
from perf_suite import FAST, ONE_TEST, Suite
from process_family import ANY_NOISE

FOUR = """
    import pytest

    @pytest.mark.parametrize("part", range(4))
    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
    def test_chat(aiperf, part):
        aiperf.run()

    @pytest.mark.parametrize("part", range(8))
    def test_ordinary(part):
        import time
        time.sleep(0.05)
"""


def test_measurements_of_one_session_never_overlap(pytester):
    suite = Suite(pytester, ("-n2",))
    pytester.makeconftest(
        """
        import json, time, pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call(item):
            begin = time.time()
            try:
                return (yield)
            finally:
                with open("calls.jsonl", "a") as file:
                    file.write(json.dumps([item.name, begin, time.time()]) + "\\n")
        """
    )
    pytester.makepyfile(FOUR)
    suite.run("--aiperf-update").assert_outcomes(passed=12)
    rows = [json.loads(line) for line in (pytester.path / "calls.jsonl").read_text().splitlines()]
    measuring = [row for row in rows if row[0].startswith("test_chat")]
    assert len(measuring) == 4
    for name, begin, end in measuring:
        beside = [other for other, b, e in rows if other != name and b < end and e > begin]
        assert beside == [], f"{beside} ran while {name} measured"


def test_every_result_comes_back_and_every_baseline_is_written_once(pytester):
    suite = Suite(pytester, ("-n2",))
    pytester.makepyfile(FOUR)
    suite.run("--aiperf-update").assert_outcomes(passed=12)
    assert len(suite.baselines()) == 4
    measurements = suite.document()["measurements"]
    assert {m["test"].rpartition("::")[2] for m in measurements} == {f"test_chat[{i}]" for i in range(4)}
    assert all(datetime.fromisoformat(m["started"]) for m in measurements)
    assert suite.document()["session"]["workers"] == 2


def test_what_a_worker_measured_before_it_crashed_is_kept(pytester):
    suite = Suite(pytester, ("-n1",))
    pytester.makepyfile(
        """
        import os
        import pytest

        @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
        def test_1_measures(aiperf):
            aiperf.run()

        def test_2_crashes():
            os._exit(9)
        """
    )
    result = suite.run("--aiperf-update", endpoint=FAST)
    result.assert_outcomes(passed=1, failed=1)
    assert len(suite.baselines()) == 1
    assert len(suite.document()["measurements"]) == 1


STOPPING = """
    import os, time, pytest

    @pytest.mark.parametrize("part", range(6))
    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
    def test_chat(aiperf, part):
        with open("begun.txt", "a") as file:
            file.write(f"{part}\\n")
        pytest.fail("wrong")
"""


@pytest.mark.parametrize(("option", "failures"), [("-x", 1), ("--maxfail=2", 2)])
def test_what_waits_for_its_turn_is_sent_away_when_the_session_stops(pytester, option, failures):
    suite = Suite(pytester, ("-n3", option, "-p", "no:randomly"))
    pytester.makepyfile(STOPPING)
    result = suite.run("--aiperf-update")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert len((pytester.path / "begun.txt").read_text().split()) == failures
    result.stdout.fnmatch_lines([f"*stopping after {failures} failures*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_each_worker_of_dist_each_adds_its_session_to_the_baseline(pytester):
    suite = Suite(pytester, ("-n2", "--dist=each", ANY_NOISE, "--aiperf-num-profile-runs=3"))
    pytester.makepyfile(ONE_TEST)
    suite.run("--aiperf-update").assert_outcomes(passed=2)
    (path,) = suite.baselines()
    assert len(json.loads(path.read_text())["sessions"]) == 2
    assert len(suite.document()["measurements"]) == 1


def test_a_group_of_xdist_is_no_part_of_any_name(pytester):
    """xdist adds it to the node ids of its workers, up to pytest 9.1."""
    suite = Suite(pytester, (ANY_NOISE, "--aiperf-num-profile-runs=3"))
    pytester.makepyfile(test_perf=ONE_TEST.replace("def ", "@pytest.mark.xdist_group('gpu')\n    def "))
    suite.run("--aiperf-update=missing").assert_outcomes(passed=1)
    recorded = suite.baselines()
    result = suite.run("--aiperf-update=all", "-n2", "--dist=loadgroup")
    result.assert_outcomes(passed=1)
    assert suite.baselines() == recorded
    (measurement,) = suite.document()["measurements"]
    assert measurement["test"] == measurement["key"]["test"] == "test_perf.py::test_chat"
    assert len(json.loads(recorded[0].read_text())["sessions"]) == 2
    recorded[0].unlink()
    result = suite.run("-n2", "--dist=loadgroup")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*pytest*test_perf.py::test_chat* --aiperf-update*"])
    result.stdout.no_fnmatch_line("*test_chat@gpu* --aiperf-update*")


@pytest.mark.skipif(not os.environ.get("PYTEST_AIPERF_CRASHES"), reason="tox -e crashes runs it")
@pytest.mark.parametrize(
    "arguments",
    [
        *[("-n2", f"--dist={mode}") for mode in ("load", "loadscope", "loadfile", "loadgroup", "worksteal")],
        ("-nauto",),
        ("-nlogical",),
        ("--tx=2*popen", "--dist=load"),
    ],
    ids=" ".join,
)
def test_every_way_to_distribute_tests_measures_each_once(pytester, arguments):
    suite = Suite(pytester, (*arguments, ANY_NOISE))
    pytester.makepyfile(FOUR)
    suite.run("--aiperf-update").assert_outcomes(passed=12)
    assert len(suite.baselines()) == len(suite.document()["measurements"]) == 4
