"""pytest-rerunfailures: what a test of several tries measures, and what waits meanwhile."""

from __future__ import annotations

from zoo_suite import FAST, LOAD


def test_nothing_runs_between_the_tries_and_names_are_free_again(on_two_workers):
    on_two_workers.write(
        test_perf=f"""
        import pytest
        from conftest import note

        TRIES = []

        @pytest.mark.flaky(reruns=2)
        @pytest.mark.aiperf({LOAD}, judge=False)
        def test_flaky(aiperf):
            TRIES.append(aiperf.run(name="first"))
            assert len(TRIES) == 3

        @pytest.mark.parametrize("number", range(12))
        def test_other(number):
            note("other", number)
        """
    )
    result = on_two_workers.run()
    assert result.parseoutcomes() == {"passed": 13, "rerun": 2}
    lines = [line[0] for line in on_two_workers.ledger("begins", "ends", "other")]
    assert lines.count("other") == 12
    first = lines.index("begins")
    assert lines[first : first + 6] == ["begins", "ends"] * 3
    assert set(on_two_workers.measurements()) == {"test_flaky#first"}


def test_an_error_is_tried_again_and_what_it_came_to_counts(zoo):
    zoo.write(
        test_perf=f"""
        import pytest

        TRIES = []

        @pytest.fixture
        def aiperf_endpoint():
            TRIES.append(1)
            return "http://127.0.0.1:9" if len(TRIES) == 1 else "{FAST}"

        @pytest.mark.aiperf({LOAD}, judge=False)
        def test_chat(aiperf):
            aiperf.run()
        """
    )
    result = zoo.run("--reruns=1", "--only-rerun=cannot reach")
    assert result.parseoutcomes() == {"passed": 1, "rerun": 1}
    assert [m["verdict"] for m in zoo.measurements().values()] == ["measured"]


def test_the_last_try_of_a_failure_ends_the_session_before_the_next_measurement(on_two_workers):
    on_two_workers.write(
        test_perf=f"""
        import pytest

        @pytest.mark.parametrize("number", range(2))
        @pytest.mark.aiperf({LOAD}, judge=False)
        def test_fails(aiperf, number):
            aiperf.run()
            assert number > 5
        """
    )
    result = on_two_workers.run("-x", "--reruns=1")
    assert result.parseoutcomes()["failed"] == 1
    assert len({name for _, name in on_two_workers.ledger("begins")}) == 1


def test_a_baseline_recorded_by_the_first_try_is_what_the_next_is_held_against(alone):
    alone.write(
        test_perf=f"""
        import pytest

        TRIES = []

        @pytest.mark.aiperf({LOAD}, metrics=["ttft.p50"], tolerance={{"ttft.p50": "50%"}})
        def test_chat(aiperf):
            TRIES.append(aiperf.run())
            assert len(TRIES) == 2
        """
    )
    result = alone.run("--aiperf-update=missing", "--reruns=1")
    assert result.parseoutcomes() == {"passed": 1, "rerun": 1}
    assert [m["verdict"] for m in alone.measurements().values()] == ["pass"]
    result.stdout.fnmatch_lines(["1 baseline written*"])
