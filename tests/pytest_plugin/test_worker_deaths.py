"""A worker that dies takes nothing with it but the measurement that it was making."""

from __future__ import annotations

import os
import signal

import pytest
from dying_workers import DyingWorkers
from process_family import load_workers, until

LIVE = {"lives-0", "lives-1", "lives-2"}
SIX = [f"{when}-{how}" for when in ("before", "during", "after") for how in ("exit", "kill")]
OUTSIDE = "during-outside"
ALL = os.environ.get("PYTEST_AIPERF_CRASHES")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from pytest_aiperf.mock_server.options import MockOptions
    from pytest_aiperf.services.mock_service import MockServerProcess

    with MockServerProcess(MockOptions(ttft_ms=20, itl_ms=1), log_dir=tmp_path_factory.mktemp("log")) as it:
        yield it


@pytest.fixture(scope="module")
def recorded(server, tmp_path_factory):
    """The suite with a baseline for each of its tests."""
    suite = DyingWorkers(tmp_path_factory.mktemp("recorded"), server.url)
    suite.record("lives-0", *SIX[:3], "lives-1", *SIX[3:], OUTSIDE, "lives-2")
    return suite


@pytest.fixture
def suite(recorded, server, tmp_path):
    server.clear_log()
    return recorded.copy(tmp_path)


def test_workers_that_die_lose_their_own_measurement_only(suite):
    before = suite.files
    suite.run("-n2", "--aiperf-update", "-k", "not outside", deaths=SIX)
    assert suite.measured() == suite.changed(before) == LIVE
    assert suite.lost() == set(SIX)
    crashed = [
        name for name in SIX if f"crashed while running 'test_deaths.py::test_chat[{name}]'" in suite.output
    ]
    assert crashed == SIX
    assert "worker 'gw0' crashed" in suite.output
    assert "worker 'gw1' crashed" in suite.output


def test_a_death_while_it_only_checks_changes_no_baseline(suite):
    before = suite.files
    suite.run("-n2", "-k", "lives or during-kill", deaths=["during-kill"])
    assert "crashed while running" in suite.output
    assert suite.measured() == LIVE
    assert suite.lost() == {"during-kill"}
    assert suite.changed(before) == set()


def kill_from_outside(suite):
    def kill(session):
        note = suite.folder / "measuring"
        until(lambda: note.exists() and note.read_text() and load_workers(session), "the load to run")
        os.kill(int(note.read_text()), signal.SIGKILL)

    return kill


def test_without_restarts_the_other_worker_ends_what_it_has(suite):
    before = suite.files
    suite.run(
        *("-n2", "--aiperf-update", "--max-worker-restart=0", "-k", "lives or outside"),
        deaths=[OUTSIDE],
        meanwhile=kill_from_outside(suite),
    )
    assert "crashed and worker restarting disabled" in suite.output
    assert suite.measured() == suite.changed(before)
    assert suite.measured() <= LIVE
    assert suite.measured()


@pytest.mark.skipif(not ALL, reason="tox -e crashes runs it")
@pytest.mark.parametrize("restarts", [(), ("--max-worker-restart=0",)], ids=["restarts", "no-restart"])
@pytest.mark.parametrize("update", [("--aiperf-update",), ()], ids=["update", "check"])
@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("death", [*SIX, OUTSIDE])
def test_each_death(suite, death, place, update, restarts):
    """Each worker begins with two tests: the first goes to the one that is ready first, the third to the other."""
    live = [f"test_deaths.py::test_chat[{name}]" for name in sorted(LIVE)]
    tests = [*live[:place], f"test_deaths.py::test_chat[{death}]", *live[place:]]
    before = suite.files
    suite.run(
        *("-n2", *tests, *update, *restarts),
        deaths=[death],
        meanwhile=kill_from_outside(suite) if death == OUTSIDE else lambda session: None,
    )
    assert f"crashed while running 'test_deaths.py::test_chat[{death}]'" in suite.output
    assert suite.lost() == {death}
    assert suite.measured() == LIVE or (restarts and suite.measured() < LIVE)
    assert suite.changed(before) == (suite.measured() if update else set())
