"""The checks of real runs: the embedded server, the load process, the sockets between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.plan import load_plan
from pytest_aiperf.measure.run_data import summarise
from pytest_aiperf.measure.run_window import context_of, run_window_of
from pytest_aiperf.measure.schedule import build_schedule
from pytest_aiperf.measure.target import find_target
from pytest_aiperf.measure.validity import check_run
from pytest_aiperf.measure.workload import build_workload
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.load_process import LoadProcess
from pytest_aiperf.services.mock_service import MockServerProcess

SOUND = {"ttft_ms": 20.0, "itl_ms": 2.0, "fault": "", "error_pct": 0.0, "server_osl_cap": 0}
FROM_THE_SERVER = {"error_share", "truncated_share", "cancelled_share", "osl_as_asked", "unsent_share"}
"""What a machine that is busy with other things does not change."""


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    logs = tmp_path_factory.mktemp("logs")
    with (
        MockServerProcess(MockOptions(ttft_ms=20, itl_ms=2), log_dir=logs) as mock,
        LoadProcess(log_dir=logs) as load,
    ):
        yield mock, load


@pytest.fixture
def failed(services):
    """Make one run against a server that is like this, and return the checks that failed."""
    mock, load = services

    def run(plan_changes=(), load_section=(), **server):
        mock.change(**(SOUND | server))
        config = AIPerfConfig.model_validate(
            {
                "endpoint": {"url": mock.url, "model": "mock"},
                "load": {"concurrency": 4, "request_count": 40} | dict(load_section),
                "input": {"isl": 8, "osl": 8},
            }
        )
        workload = build_workload(config, model="mock", schedule=build_schedule(config))
        plan = replace(load_plan(config, find_target(config), workload), **dict(plan_changes))
        data = summarise(
            load.run(plan),
            run_window_of(config, workload),
            context=context_of(config, workload, graded=False),
            stall_threshold_ms=None,
        )
        return {c.check: c for c in check_run(data, config) if not c.ok}

    return run


def test_a_sound_server_fails_none_of_its_checks(failed):
    assert not FROM_THE_SERVER & failed().keys()


@pytest.mark.parametrize(
    ("check", "server"),
    [
        ("error_share", {"error_pct": 30.0}),
        ("truncated_share", {"fault": "truncate", "fault_pct": 30.0}),
        ("osl_as_asked", {"server_osl_cap": 5}),
    ],
)
def test_what_the_server_does_wrong_is_told(failed, check, server):
    assert failed(**server).keys() & FROM_THE_SERVER == {check}


def test_a_run_over_its_longest_duration_is_cut_short(failed):
    broken = failed({"max_duration_s": 0.2}, ttft_ms=150.0)
    assert "it reached its longest duration of 0.2 s" in broken["unsent_share"].advice


def test_slots_that_stand_empty_are_found(failed):
    """A server that refuses at once: its slots are refilled faster than they can be busy."""
    assert "littles_law" in failed(ttft_ms=0.0, itl_ms=0.0, error_pct=100.0)


def test_an_open_loop_is_checked_against_its_schedule(failed):
    broken = failed(load_section={"concurrency": None, "request_rate": 100.0, "warm_up": 20})
    assert not {*FROM_THE_SERVER, "littles_law", "turnaround_p99_ms", "sent_rate_shortfall"} & broken.keys()
