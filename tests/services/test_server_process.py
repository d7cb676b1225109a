"""A user's own server: waited for, and ended with everything that it started."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from process_table import runs, wait_until

from pytest_aiperf.common.errors import ConfigurationError, ProcessDiedError
from pytest_aiperf.services import server_process
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
    log = server.log()
    assert server.alive
    assert repr(server) == f"<ServerProcess {server.url} pid {server.pid}>"
    assert "503" in log
    assert log.rstrip().endswith("200 -")


def test_a_server_that_dies_at_its_start_is_reported_with_the_end_of_its_log(serve):
    server = serve("--fail")
    words = r"(?s)python.* \(pid \d+\) ended with exit status 1 before it was ready.*CUDA out of memory"
    with pytest.raises(ProcessDiedError, match=words):
        server.start()
    assert not server.alive


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        (["no-such-server"], {}, "cannot start 'no-such-server': No such file or directory. Is it installed"),
        (["/"], {}, "cannot start '/': Permission denied"),
        (["true"], {"cwd": "/no/such"}, "cannot start 'true': /no/such is not a directory"),
        ("vllm serve 'a b' --port 80", {}, r"write \['vllm', 'serve', 'a b', '--port', '80'\]"),
        (["vllm", "--port", 80], {}, "holds 80: write it as text, '80'"),
        ([], {}, "command is empty"),
        (["true"], {"url": "127.0.0.1:8000"}, "must look like http://127.0.0.1:8000"),
        (["true"], {"url": "http://127.0.0.1:80000"}, "out of range"),
    ],
)
def test_what_cannot_be_started_is_refused_with_what_to_write(tmp_path, command, options, words):
    options = {"url": f"http://127.0.0.1:{ServerProcess.free_port()}", "log_path": tmp_path / "log"} | options
    with pytest.raises(ConfigurationError, match=words):
        ServerProcess(command, **options).start()


def test_a_server_that_leaves_the_foreground_is_refused_and_ended(serve):
    server = serve("--daemonise")
    with pytest.raises(
        ProcessDiedError, match="exit status 0 before it was ready: it must stay in the foreground"
    ):
        server.start()
    assert not runs(child_of(server))


def test_a_server_that_never_gets_ready_is_reported_with_its_last_answer_and_ended(serve):
    server = serve("--never-ready", "--with-child", ready_timeout_s=1.0)
    with pytest.raises(
        DeadlineError,
        match=r"(?s)waited 1 s for .* /v1/models: the last answer was HTTP 503\. If it .*end of .*server.log",
    ):
        server.start()
    assert not server.alive
    assert not runs(child_of(server))


def test_the_endpoints_key_opens_the_ready_path(serve, monkeypatch):
    server = serve("--wants-key", ready_timeout_s=1.5)
    with pytest.raises(DeadlineError, match="HTTP 401; is AIPERF_API_KEY the key"):
        server.start()
    monkeypatch.setenv("AIPERF_API_KEY", "sesame")
    server.start()
    assert server.alive


def test_a_long_wait_is_told_with_its_length_and_where_the_log_is(serve, monkeypatch, caplog):
    monkeypatch.setattr(server_process, "SAY_AFTER_S", 0.0)
    server = serve()
    with caplog.at_level(logging.INFO):
        server.start()
    (line,) = caplog.messages
    assert line.startswith(f"{server.url} is not ready after 0 s of at most 600 s: ")
    assert line.endswith(f"log: {server.log_path}")


def test_an_address_at_which_something_listens_already_is_refused(serve, tmp_path):
    server = serve()
    server.start()
    second = ServerProcess(["true"], url=server.url, log_path=tmp_path / "second.log")
    with pytest.raises(ConfigurationError, match="something listens there already"):
        second.start()


@pytest.mark.parametrize("flags", [["--with-child"], ["--with-child", "--deaf"], ["--with-daemon"]])
def test_stop_ends_the_server_and_its_children_deaf_or_in_a_session_of_their_own(serve, flags):
    server = serve(*flags)
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


def test_a_server_that_ends_by_itself_is_told_from_one_that_was_stopped(serve):
    server = serve()
    server.check_alive()
    server.start()
    server.check_alive()
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(
        ProcessDiedError, match=rf"(?s)was killed by SIGKILL while it should serve {server.url}.*end of"
    ):
        server.check_alive(wait_s=5)
    server.restart()
    server.check_alive()
    server.stop()
    server.check_alive()


def test_a_killed_supervisor_takes_the_server_with_it(serve):
    server = serve()
    server.start()
    pid = server.pid
    server._running.supervisor.kill()
    assert wait_until(lambda: not runs(pid))
    with pytest.raises(ProcessDiedError, match="was lost with its supervisor"):
        server.check_alive()


def test_restart_gives_a_new_process_at_the_same_address(serve):
    server = serve()
    server.start()
    first = server.pid
    server.restart()
    assert not runs(first)
    assert server.alive
    before, after = server.log().split("--- started anew ---")
    assert before.count("serving") == after.count("serving") == 1


def test_the_environment_is_ours_with_what_was_added_and_without_what_is_none(tmp_path, monkeypatch):
    url = f"http://127.0.0.1:{ServerProcess.free_port()}"
    code = "import os; print(os.environ['FROM_US'], os.environ['ADDED'], 'GONE' in os.environ, os.getcwd())"
    server = ServerProcess(
        [Path(sys.executable), "-c", code],
        url=url,
        env={"ADDED": "2", "GONE": None},
        cwd=tmp_path,
        log_path=str(tmp_path / "log"),
    )
    monkeypatch.setenv("FROM_US", "1")
    monkeypatch.setenv("GONE", "1")
    with pytest.raises(ProcessDiedError, match=r"exit status 0"):
        server.start()
    assert server.log().split() == ["1", "2", "False", str(tmp_path)]


def test_importing_it_imports_nothing_heavy():
    code = "import sys; from pytest_aiperf import ServerProcess; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {"numpy", "pydantic", "asyncio", "aiohttp", "orjson", "ssl", "http.client"}
    assert heavy.isdisjoint(done.stdout.split())
