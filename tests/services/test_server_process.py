"""A user's own server: waited for, and ended with everything that it started."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from process_table import runs, wait_until

from pytest_aiperf.common.errors import ConfigurationError, ProcessDiedError
from pytest_aiperf.services.channel import DeadlineError
from pytest_aiperf.services.server_process import ServerProcess

SCRIPT = str(Path(__file__).parent / "user_server.py")


@pytest.fixture
def serve(tmp_path):
    """Make a server of `user_server.py` with some flags; each is stopped at the end."""
    made = []

    def make(*flags, **options):
        port = ServerProcess.free_port()
        command = [sys.executable, SCRIPT, str(port), *flags]
        url = f"http://127.0.0.1:{port}"
        server = ServerProcess(command, url=url, log_path=tmp_path / "server.log", **options)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop(0.5)


def child_of(server):
    return int(server.log_path.read_text().split()[1])


def test_start_returns_when_the_server_answers_2xx(serve):
    server = serve()
    server.start()
    log = server.log_path.read_text()
    assert server.alive
    assert "503" in log
    assert log.rstrip().endswith("200 -")


def test_a_server_that_dies_at_its_start_is_reported_with_the_end_of_its_log(serve):
    server = serve("--fail")
    with pytest.raises(ProcessDiedError, match=r"(?s)exit status 1 before it was ready.*CUDA out of memory"):
        server.start()
    assert not server.alive


def test_a_command_that_does_not_exist_is_reported_with_its_name(tmp_path):
    url = f"http://127.0.0.1:{ServerProcess.free_port()}"
    server = ServerProcess(["no-such-server"], url=url, log_path=tmp_path / "log")
    with pytest.raises(ProcessDiedError, match="cannot start 'no-such-server'"):
        server.start()


def test_a_server_that_never_gets_ready_is_reported_with_its_last_answer_and_ended(serve):
    server = serve("--never-ready", "--with-child", ready_timeout_s=1.0)
    with pytest.raises(
        DeadlineError, match=r"(?s)waited 1 s for .* /v1/models: the last answer was HTTP 503"
    ):
        server.start()
    assert not server.alive
    assert not runs(child_of(server))


def test_an_address_at_which_something_listens_already_is_refused(serve, tmp_path):
    server = serve()
    server.start()
    second = ServerProcess(["true"], url=server.url, log_path=tmp_path / "second.log")
    with pytest.raises(ConfigurationError, match="something listens there already"):
        second.start()


@pytest.mark.parametrize("flags", [[], ["--deaf"]])
def test_stop_ends_the_server_and_its_children_deaf_to_sigterm_or_not(serve, flags):
    server = serve("--with-child", *flags)
    server.start()
    pids = [server.pid, child_of(server)]
    assert all(map(runs, pids))
    server.stop(0.5)
    server.stop()
    assert not any(map(runs, pids))
    assert (server.alive, server.pid) == (False, None)


def test_what_a_dead_server_leaves_behind_is_ended_too(serve):
    server = serve("--with-child")
    server.start()
    child = child_of(server)
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: not runs(child))
    assert wait_until(lambda: not server.alive)


def test_a_killed_supervisor_takes_the_server_with_it(serve):
    server = serve()
    server.start()
    pid = server.pid
    server._running.supervisor.kill()
    assert wait_until(lambda: not runs(pid))


def test_restart_gives_a_new_process_at_the_same_address(serve):
    server = serve()
    server.start()
    first = server.pid
    server.restart()
    assert not runs(first)
    assert server.alive


def test_the_environment_is_ours_with_what_was_added(tmp_path, monkeypatch):
    monkeypatch.setenv("FROM_US", "1")
    url = f"http://127.0.0.1:{ServerProcess.free_port()}"
    code = "import os; print(os.environ['FROM_US'], os.environ['ADDED'], os.getcwd())"
    server = ServerProcess(
        [sys.executable, "-c", code], url=url, env={"ADDED": "2"}, cwd=tmp_path, log_path=tmp_path / "log"
    )
    with pytest.raises(ProcessDiedError, match=r"exit status 0"):
        server.start()
    assert (tmp_path / "log").read_text().split() == ["1", "2", str(tmp_path)]
