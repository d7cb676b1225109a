"""One process or several: the same records, and no way to die that hangs or goes unnoticed."""

from __future__ import annotations

import array
import fcntl
import os
import signal
import socket
import termios
from pathlib import Path

import pytest
from load_plans import TOKENS, InThread, make_plan
from process_table import runs, wait_until

from pytest_aiperf.common.errors import ConfigurationError, EndpointError, ProcessDiedError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.channel import DeadlineError
from pytest_aiperf.services.load_pool import LoadPool
from pytest_aiperf.services.mock_service import MockServerProcess

TCP_SYN_SENT = "02"


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def fast(logs):
    with MockServerProcess(MockOptions(ttft_ms=1, itl_ms=0), log_dir=logs) as server:
        yield server.url


@pytest.fixture(scope="module")
def endless(logs):
    """A server whose answers take minutes."""
    with MockServerProcess(MockOptions(ttft_ms=1, itl_ms=1000), log_dir=logs) as server:
        yield server.url


@pytest.fixture(scope="module", params=[1, 2])
def pool(logs, request):
    """Each test leaves it able to run; at the end none of its processes may be left."""
    with LoadPool(request.param, log_dir=logs) as pool:
        yield pool
        pids = pool.pids
    assert pids
    assert not any(map(runs, pids))


@pytest.fixture(scope="module")
def two(logs):
    with LoadPool(2, log_dir=logs) as pool:
        yield pool


@pytest.fixture
def unresponsive():
    """A port on which connecting takes for ever: the queue of those to be accepted is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        filling = []
        while not connecting_to(server.getsockname()[1]):
            filling.append(socket.socket())
            filling[-1].setblocking(False)
            filling[-1].connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for sock in filling:
            sock.close()


def connecting_to(port):
    """How many connections to this port are being made."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(f":{port:04X}") and line[3] == TCP_SYN_SENT for line in lines)


def unread_bytes(fd):
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


def kill_last(pool):
    os.kill(pool.pids[-1], signal.SIGKILL)


def works(pool, url):
    batch = pool.run(make_plan(url))
    assert sorted(batch.request_index) == list(range(8))
    assert all(map(runs, pool.pids))
    return True


# What a run returns.


def test_a_run_returns_one_row_for_each_request_whoever_sent_it(pool, fast):
    batch = pool.run(make_plan(fast, requests=41, concurrency=6))
    assert sorted(batch.request_index) == list(range(41))
    assert set(batch.outcome) == {Outcome.OK}
    assert set(batch.content_count()) == {TOKENS}
    assert set(batch.slot) == set(range(6))
    assert (batch.facts.workers, batch.facts.concurrency, batch.facts.planned) == (len(pool.pids), 6, 41)
    assert batch.t_end.tolist() == sorted(batch.t_end)
    assert batch.t0.min() >= 0


def test_the_processes_stay_the_same_from_run_to_run(pool, fast):
    pool.run(make_plan(fast))
    pids = pool.pids
    assert len(pids) == pool.run(make_plan(fast)).facts.workers
    assert pool.pids == pids


def test_a_run_may_ask_for_more_or_fewer_processes(logs, fast):
    with LoadPool(log_dir=logs) as pool:
        assert pool.run(make_plan(fast), workers=2).facts.workers == 2
        assert pool.run(make_plan(fast)).facts.workers == 1
        assert pool.run(make_plan(fast, concurrency=1), workers=2).facts.workers == 1
        assert len(pool.pids) == 2


def test_progress_is_that_of_all_and_abort_returns_what_there_is(pool, endless):
    seen = []

    def on_progress(*counts):
        seen.append(counts)
        if counts == (4, 0, 0):
            pool.abort()

    batch = pool.run(make_plan(endless, concurrency=4, tokens=1000), on_progress)
    assert seen[-1] == (4, 0, 0)
    assert len(batch) == 4
    assert set(batch.outcome) == {Outcome.CANCELLED}
    assert "aborted" in batch.facts.cut_short


def test_an_error_of_the_engine_arrives_as_its_own_class_and_the_processes_live_on(pool, fast):
    works(pool, fast)
    pids = pool.pids
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1:1"):
        pool.run(make_plan("http://127.0.0.1:1"))
    with pytest.raises(ConfigurationError):
        pool.run(make_plan("ftp://127.0.0.1"))
    works(pool, fast)
    assert pool.pids == pids


def test_stop_ends_a_run_in_work(logs, endless):
    pool = LoadPool(2, log_dir=logs)
    stopping = []

    def stop(*_):
        if not stopping:
            stopping.append(InThread(lambda: pool.stop(grace_s=10)))

    batch = pool.run(make_plan(endless, tokens=1000), stop)
    stopping[0].result()
    assert batch.facts.cut_short
    assert pool.pids == []


def test_a_callback_that_raises_ends_the_load_and_the_next_run_is_a_whole_one(pool, fast, endless):
    def fail(*_):
        raise KeyError("in the callback")

    with pytest.raises(KeyError):
        pool.run(make_plan(endless, tokens=1000), fail)
    works(pool, fast)


# The common start.


def test_nobody_sends_before_everybody_is_connected(two, fast):
    works(two, fast)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        os.kill(two.pids[1], signal.SIGSTOP)
        run = InThread(lambda: two.run(make_plan(f"http://127.0.0.1:{server.getsockname()[1]}")))
        first, _ = server.accept()
        try:
            first.settimeout(0.3)
            with pytest.raises(TimeoutError):
                first.recv(1)
        finally:
            os.kill(two.pids[1], signal.SIGCONT)
        second, _ = server.accept()
        for connection in (first, second):
            connection.settimeout(30)
            assert connection.recv(4) == b"POST"
        two.abort()
        assert len(run.result()) == 2
        first.close()
        second.close()


def test_an_abort_before_the_start_reaches_also_who_has_not_been_asked_yet(two, fast):
    works(two, fast)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        os.kill(two.pids[1], signal.SIGSTOP)
        run = InThread(lambda: two.run(make_plan(f"http://127.0.0.1:{server.getsockname()[1]}")))
        first, _ = server.accept()
        two._processes[0].abort()  # as when the abort of the other one overtakes its plan
        os.kill(two.pids[1], signal.SIGCONT)
        batch = run.result()
        first.close()
    assert len(batch) == 0
    assert "aborted" in batch.facts.cut_short
    works(two, fast)


# How a process dies.


def test_killed_before_it_is_ready(pool, fast, logs):
    fresh = LoadPool(len(pool.pids), log_dir=logs)
    fresh.start()
    victim = fresh.pids[0]
    os.kill(victim, signal.SIGSTOP)
    run = InThread(lambda: fresh.run(make_plan(fast)))
    assert wait_until(lambda: fresh._processes[0].process._suspect)
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(ProcessDiedError, match=rf"load_worker \(pid {victim}\) was killed by SIGKILL"):
        run.result()
    works(fresh, fast)
    fresh.stop()


def test_killed_while_it_connects(pool, fast, unresponsive):
    works(pool, fast)
    victim, waiting = pool.pids[-1], connecting_to(unresponsive)
    run = InThread(lambda: pool.run(make_plan(f"http://127.0.0.1:{unresponsive}")))
    assert wait_until(lambda: connecting_to(unresponsive) == waiting + len(pool.pids))
    kill_last(pool)
    with pytest.raises(ProcessDiedError, match=rf"load_worker \(pid {victim}\) was killed by SIGKILL"):
        run.result()
    works(pool, fast)
    assert victim not in pool.pids


def test_killed_while_the_load_runs(pool, fast, endless):
    works(pool, fast)
    *others, victim = pool.pids
    with pytest.raises(ProcessDiedError, match=rf"load_worker \(pid {victim}\) was killed by SIGKILL"):
        pool.run(make_plan(endless, tokens=1000), lambda *_: kill_last(pool))
    works(pool, fast)
    assert pool.pids[:-1] == others
    assert pool.pids[-1] != victim


def test_ended_by_itself_while_the_load_runs(pool, fast):
    plan = make_plan(fast, endpoint_type="dying_endpoint:DyingEndpoint")
    with pytest.raises(ProcessDiedError, match=r"load_worker \(pid \d+\) ended with exit status 3"):
        pool.run(plan)
    works(pool, fast)


def test_killed_while_it_sends_its_result(pool, fast):
    works(pool, fast)
    victim = pool._processes[-1].process

    def kill_when_it_has_begun(*_):
        # Nobody reads in the meantime: so far it can get, and not to the end.
        assert wait_until(lambda: unread_bytes(victim._work.fileno()) > 65_536, 30)
        kill_last(pool)

    with pytest.raises(ProcessDiedError, match=rf"load_worker \(pid {victim.pid}\) was killed by SIGKILL"):
        pool.run(make_plan(fast, requests=6000, concurrency=8, tokens=1), kill_when_it_has_begun)
    works(pool, fast)


def test_killed_between_two_runs_it_is_replaced(pool, fast):
    works(pool, fast)
    victim = pool.pids[-1]
    kill_last(pool)
    assert wait_until(lambda: not pool._processes[-1].process.alive)
    works(pool, fast)
    assert victim not in pool.pids


def test_one_that_does_not_answer_ends_the_run_at_its_deadline(pool, fast, endless):
    works(pool, fast)
    victim = pool.pids[-1]

    def stop_it(*_):
        if runs(victim):
            os.kill(victim, signal.SIGSTOP)

    with pytest.raises(DeadlineError, match="the answer to 'run"):
        pool.run(make_plan(endless, tokens=1000), stop_it, deadline_s=1.0)
    assert wait_until(lambda: not runs(victim))
    works(pool, fast)


def test_the_error_shows_the_end_of_the_log_without_secrets(pool, fast, endless, monkeypatch):
    monkeypatch.setenv("AIPERF_API_KEY", "sk-of-the-environment")
    works(pool, fast)

    def write_and_die(*_):
        log = pool._processes[-1].process._child.log_path
        log.write_text("CUDA out of memory\nkey sk-of-the-environment, header value-of-the-header\n")
        kill_last(pool)

    plan = make_plan(endless, tokens=1000, headers={"X-Secret-Token": "value-of-the-header"})
    with pytest.raises(ProcessDiedError, match=r"CUDA out of memory\s+key \*\*\*, header \*\*\*") as caught:
        pool.run(plan, write_and_die)
    assert "-of-the-" not in str(caught.value)
