"""Under xdist measurements take turns, and the process that the user started is the only one that writes."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from perf_suite import FAST, Suite

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


def test_what_waits_for_its_turn_is_sent_away_when_the_session_stops(pytester):
    suite = Suite(pytester, ("-n3", "-x", "-p", "no:randomly"))
    pytester.makepyfile(STOPPING)
    result = suite.run("--aiperf-update")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert len((pytester.path / "begun.txt").read_text().split()) == 1
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
