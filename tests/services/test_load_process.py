"""The load engine behind its process boundary, against the embedded server behind its own."""

from __future__ import annotations

import os
import signal

import pytest
from load_plans import TOKENS, InThread, make_plan
from process_table import wait_until

from pytest_aiperf.common.errors import ConfigurationError, EndpointError, ProcessDiedError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.channel import DeadlineError
from pytest_aiperf.services.load_process import LoadProcess
from pytest_aiperf.services.mock_service import MockServerProcess


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def load(logs):
    with LoadProcess(log_dir=logs) as load:
        yield load


@pytest.fixture(scope="module")
def fast(logs):
    with MockServerProcess(MockOptions(ttft_ms=1, itl_ms=0), log_dir=logs) as server:
        yield server.url


@pytest.fixture(scope="module")
def endless(logs):
    """A server whose answers take minutes."""
    with MockServerProcess(MockOptions(ttft_ms=1, itl_ms=1000), log_dir=logs) as server:
        yield server.url


def test_a_run_returns_one_row_for_each_request(load, fast):
    batch = load.run(make_plan(fast, requests=40, concurrency=4))
    assert sorted(batch.request_index) == list(range(40))
    assert set(batch.outcome) == {Outcome.OK}
    assert set(batch.content_count()) == {TOKENS}


def test_the_process_stays_the_same_from_run_to_run(load, fast):
    pids = set()
    for _ in range(3):
        load.run(make_plan(fast))
        pids.add(load.process.pid)
    assert len(pids) == 1


def test_progress_comes_while_the_load_runs_and_abort_returns_what_there_is(load, endless):
    seen = []

    def on_progress(sent, done, errors):
        seen.append((sent, done, errors))
        load.abort()

    batch = load.run(make_plan(endless, tokens=1000), on_progress)
    assert seen[0] == (2, 0, 0)
    assert set(batch.outcome) == {Outcome.CANCELLED}
    assert "2 of 8" in batch.facts.cut_short


def test_an_error_of_the_engine_arrives_as_its_own_class_and_the_process_lives_on(load, fast):
    load.run(make_plan(fast))
    pid = load.process.pid
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1:1"):
        load.run(make_plan("http://127.0.0.1:1"))
    with pytest.raises(ConfigurationError):
        load.run(make_plan("ftp://127.0.0.1"))
    load.run(make_plan(fast))
    assert load.process.pid == pid


def test_a_load_process_killed_in_its_run_is_reported_and_the_next_run_has_a_new_one(load, fast, endless):
    def kill(*_):
        os.kill(load.process.pid, signal.SIGKILL)

    with pytest.raises(ProcessDiedError, match=r"load_worker \(pid \d+\) was killed by SIGKILL"):
        load.run(make_plan(endless, tokens=1000), kill)
    assert len(load.run(make_plan(fast))) == 8


def test_a_deadline_ends_the_load_with_the_process(load, endless):
    load.start()
    load.process.wait_ready()
    child = load.process._child.process
    with pytest.raises(DeadlineError, match="the answer to 'run' of load_worker"):
        load.run(make_plan(endless, tokens=1000), deadline_s=0.3)
    assert wait_until(lambda: child.poll() is not None)


def test_stop_ends_a_run_in_work_without_a_signal(logs, endless):
    load = LoadProcess(log_dir=logs)
    child, stopping = [], []

    def stop(*_):
        if not child:
            child.append(load.process._child.process)
            stopping.append(InThread(lambda: load.stop(grace_s=10)))

    batch = load.run(make_plan(endless, tokens=1000), stop)
    stopping[0].result()
    assert batch.facts.cut_short.startswith("aborted")
    assert child[0].returncode == 0


def test_a_parent_that_only_holds_the_facade_has_not_imported_the_engine(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from pytest_aiperf.services.load_pool import LoadPool\n"
        f"load = LoadPool(log_dir=Path({str(tmp_path)!r})); load.start(); load.stop()\n"
        "print([m for m in ('numpy', 'asyncio', 'uvloop', 'httptools', 'pytest_aiperf.engine') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
