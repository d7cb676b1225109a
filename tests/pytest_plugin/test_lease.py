"""The lease that keeps measurements apart: nobody beside a measurement, and nobody waits for the dead."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pytest_aiperf.pytest_plugin.lease import Lease, LeaseCancelledError, LeaseError
from pytest_aiperf.pytest_plugin.lease_broker import LeaseBroker
from pytest_aiperf.pytest_plugin.lease_queue import PATIENCE

HOLDER = Path(__file__).parent / "lease_holder.py"
ROOT = HOLDER.parent.parent.parent
PATIENCE_S = 20.0


@pytest.fixture
def broker():
    with LeaseBroker() as broker:
        yield broker


@pytest.fixture
def lease(broker):
    """Make leases; each is given back at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(Lease(broker.address, broker.token, **options))


@pytest.fixture
def holder(broker):
    """Start `lease_holder.py` in a process of its own."""
    started = []

    def start(kind, *what):
        process = subprocess.Popen(
            [sys.executable, str(HOLDER), str(broker.address[1]), broker.token, kind, *what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


class Waiter(threading.Thread):
    """Acquires in a thread; `join` returns once it has the lease, or an error."""

    def __init__(self, lease, **wish):
        super().__init__(daemon=True)
        self.lease, self.wish, self.error = lease, {"owner": "waiter", **wish}, None
        self.start()

    def run(self):
        try:
            self.lease.acquire(**self.wish)
        except LeaseError as error:
            self.error = error

    def granted(self):
        self.join(PATIENCE_S)
        return not self.is_alive() and self.error is None


def queue_length(broker, count, resource="host"):
    """Wait until so many wait for the resource."""
    deadline = time.monotonic() + PATIENCE_S
    while len(broker._resources[resource].waiting) != count:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return True


def test_tests_share_and_a_measurement_is_alone(lease, broker):
    first, second, measurement = lease(), lease(), lease()
    first.acquire(exclusive=False, owner="a")
    second.acquire(exclusive=False, owner="b")
    waiter = Waiter(measurement, exclusive=True)
    assert queue_length(broker, 1)
    first.release()
    waiter.join(0.05)
    assert waiter.is_alive()
    second.release()
    assert waiter.granted()


def test_waiting_is_counted_in_seconds(lease, broker):
    first, second = lease(), lease()
    assert first.acquire(exclusive=True, owner="a") < PATIENCE_S
    threading.Timer(0.1, first.release).start()
    assert second.acquire(exclusive=True, owner="b") >= 0.09


def test_a_waiting_measurement_goes_before_tests_that_ask_after_it(lease, broker):
    running, measurement, late = lease(), lease(), lease()
    running.acquire(exclusive=False, owner="running")
    writer = Waiter(measurement, exclusive=True)
    assert queue_length(broker, 1)
    reader = Waiter(late, exclusive=False)
    assert queue_length(broker, 2)
    running.release()
    assert writer.granted()
    assert reader.is_alive()
    measurement.release()
    assert reader.granted()


def test_a_measurement_goes_before_tests_that_wait_longer(lease, broker):
    running = lease()
    running.acquire(exclusive=True, owner="running")
    reader = Waiter(lease(), exclusive=False)
    assert queue_length(broker, 1)
    measurement = lease()
    writer = Waiter(measurement, exclusive=True)
    assert queue_length(broker, 2)
    running.release()
    assert writer.granted()
    assert reader.is_alive()
    measurement.release()
    assert reader.granted()


def test_a_measurement_is_not_starved_by_a_steady_stream_of_tests(lease, broker):
    stop = threading.Event()

    def trickle():
        with Lease(broker.address, broker.token) as mine:
            while not stop.is_set():
                mine.acquire(exclusive=False, owner="trickle")
                stop.wait(0.002)
                mine.release()

    threads = [threading.Thread(target=trickle) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            measurement = lease()
            measurement.acquire(exclusive=True, owner="m", deadline_s=PATIENCE_S)
            measurement.release()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_test_lets_so_many_measurements_go_first_and_no_more(lease, broker):
    gate, order = lease(), []
    gate.acquire(exclusive=True, owner="gate")

    def work(kind):
        with Lease(broker.address, broker.token) as mine:
            mine.acquire(exclusive=kind == "measurement", owner=kind)
            order.append(kind)

    kinds = ["test", "test"] + ["measurement"] * (PATIENCE + 3)
    threads = []
    for number, kind in enumerate(kinds):
        threads.append(threading.Thread(target=work, args=(kind,)))
        threads[-1].start()
        assert queue_length(broker, number + 1)
    gate.release()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == ["measurement"] * PATIENCE + ["test"] * 2 + ["measurement"] * 3


def test_measurements_go_in_the_order_of_their_asking(lease, broker):
    gate, order, waiters = lease(), [], []
    gate.acquire(exclusive=True, owner="gate")

    def measure(mine, number):
        mine.acquire(exclusive=True, owner=str(number))
        order.append(number)
        mine.release()

    for number in range(5):
        waiters.append(threading.Thread(target=measure, args=(lease(), number)))
        waiters[-1].start()
        assert queue_length(broker, number + 1)
    gate.release()
    for waiter in waiters:
        waiter.join(PATIENCE_S)
    assert order == [0, 1, 2, 3, 4]


def test_different_resources_do_not_exclude_each_other(lease):
    lease().acquire(exclusive=True, owner="a", resource="http://a")
    assert lease().acquire(exclusive=True, owner="b", resource="http://b", deadline_s=PATIENCE_S) >= 0


def assert_no_overlap(events):
    inside = {"shared": 0, "exclusive": 0}
    for event in events:
        way, kind = event.split()
        inside[kind] += 1 if way == "in" else -1
        assert inside["exclusive"] == 0 or inside == {"shared": 0, "exclusive": 1}
    assert inside == {"shared": 0, "exclusive": 0}


def test_many_threads_never_overlap_a_measurement(broker):
    events = []

    def work(kind):
        for _ in range(25):
            with Lease(broker.address, broker.token) as mine:
                mine.acquire(exclusive=kind == "exclusive", owner=kind)
                events.append(f"in {kind}")
                time.sleep(0)
                events.append(f"out {kind}")

    threads = [threading.Thread(target=work, args=(kind,)) for kind in ["shared", "exclusive"] * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(events) == 12 * 25 * 2
    assert_no_overlap(events)


def test_many_processes_never_overlap_a_measurement(holder, tmp_path):
    ledger = tmp_path / "ledger"
    ledger.touch()
    workers = [holder(kind, "count", str(ledger), "40") for kind in ["shared", "exclusive"] * 2]
    for worker in workers:
        assert worker.wait(PATIENCE_S) == 0
    events = ledger.read_text().splitlines()
    assert len(events) == 4 * 40 * 2
    assert_no_overlap(events)


def test_a_killed_holder_gives_its_lease_back(lease, holder):
    dead = holder("exclusive", "gw0")
    assert [dead.stdout.readline() for _ in range(2)] == ["asking\n", "holds\n"]
    waiter = Waiter(lease(), exclusive=True)
    dead.send_signal(signal.SIGKILL)
    assert waiter.granted()


def test_a_killed_waiter_is_dropped_from_the_queue(lease, holder, broker):
    running = lease()
    running.acquire(exclusive=False, owner="running")
    dead = holder("exclusive", "gw0")
    assert dead.stdout.readline() == "asking\n"
    assert queue_length(broker, 1)
    dead.send_signal(signal.SIGKILL)
    assert queue_length(broker, 0)
    assert lease().acquire(exclusive=False, owner="next", deadline_s=PATIENCE_S) >= 0


def test_a_lease_ends_with_release_even_where_a_fork_has_a_copy_of_its_socket(lease):
    first = lease()
    first.acquire(exclusive=True, owner="a")
    copy = first._sock.dup()
    first.release()
    assert Waiter(lease(), exclusive=True).granted()
    copy.close()


def test_who_waits_long_is_told_who_is_running(lease):
    holder, lines, told = lease(), [], threading.Event()
    holder.acquire(exclusive=True, owner="gw0 test_chat[8]")

    def on_wait(line):
        lines.append(line)
        told.set()

    waiter = Waiter(lease(on_wait=on_wait, remind_s=0.05), exclusive=False, owner="gw1 test_unit")
    assert told.wait(PATIENCE_S)
    holder.release()
    assert waiter.granted()
    assert lines[0] == "gw1 test_unit has waited 0 s for its turn; now running: gw0 test_chat[8]"


def test_cancelling_sends_the_waiting_and_the_late_away_and_leaves_the_holder_alone(lease, broker):
    holder = lease()
    holder.acquire(exclusive=True, owner="holder")
    waiters = [Waiter(lease(), exclusive=exclusive, owner="w") for exclusive in (True, False)]
    assert queue_length(broker, 2)
    broker.cancel_waiting("maxfail was reached")
    for waiter in waiters:
        waiter.join(PATIENCE_S)
        assert isinstance(waiter.error, LeaseCancelledError)
        assert str(waiter.error) == "w: did not get its turn: maxfail was reached"
    with pytest.raises(LeaseCancelledError):
        lease().acquire(exclusive=False, owner="late")
    assert broker._resources["host"].holders[0].owner == "holder"


def test_a_wait_ends_at_its_deadline(lease):
    lease().acquire(exclusive=True, owner="a")
    with pytest.raises(LeaseError, match="b: waited 0 s for its turn, which is the limit"):
        lease(remind_s=0.02).acquire(exclusive=True, owner="b", deadline_s=0.1)


def test_a_second_lease_of_the_same_worker_is_refused_instead_of_waiting_for_itself(lease):
    mine = lease()
    mine.acquire(exclusive=True, owner="a")
    with pytest.raises(LeaseError, match="holds a lease already"):
        mine.acquire(exclusive=True, owner="a")


def test_a_wrong_token_is_refused(broker):
    for token in ("", "0" * len(broker.token), broker.token + "x", "é"):
        with pytest.raises(LeaseError, match="refused: not a request of this session"):
            Lease(broker.address, token).acquire(exclusive=True, owner="a")


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x00\xff\n",
        b"[]\n",
        b"{}\n",
        json.dumps({"token": 5, "exclusive": 1, "owner": None}).encode() + b"\n",
        b"x" * 100_000,
        b"",
    ],
    ids=["http", "tls", "list", "no-token", "odd-types", "long", "nothing"],  # else the id is 100 000 long
)
def test_garbage_on_the_port_is_refused_and_hurts_nobody(lease, broker, garbage):
    with (
        contextlib.suppress(OSError),
        socket.create_connection(broker.address, timeout=PATIENCE_S) as stranger,
    ):
        stranger.sendall(garbage)
        stranger.shutdown(socket.SHUT_WR)
        assert b"granted" not in stranger.recv(1000)
    assert lease().acquire(exclusive=True, owner="a", deadline_s=PATIENCE_S) >= 0


def test_a_stranger_who_says_nothing_keeps_nobody_from_a_lease(lease, broker):
    with socket.create_connection(broker.address, timeout=PATIENCE_S):
        assert lease().acquire(exclusive=True, owner="a", deadline_s=PATIENCE_S) >= 0


def test_the_end_of_the_broker_ends_the_wait(lease, broker):
    lease().acquire(exclusive=True, owner="a")
    waiter = Waiter(lease(), exclusive=True)
    assert queue_length(broker, 1)
    broker.close()
    broker.close()
    waiter.join(PATIENCE_S)
    assert "is gone" in str(waiter.error)
    with pytest.raises(LeaseError, match="is gone"):
        lease().acquire(exclusive=True, owner="b")


def test_a_broker_can_be_closed_that_has_seen_the_end_before_it_was_told(broker):
    """It was busy with a stranger when the end came. Chance in life; here the end is set before the call."""
    broker._closing = True
    with socket.create_connection(broker.address, timeout=PATIENCE_S):
        broker._thread.join(PATIENCE_S)
    assert not broker._thread.is_alive()
    broker._closing = False
    broker.close()


def test_the_address_and_the_token_are_builtin_types_for_the_way_to_a_worker(broker):
    host, port = broker.address
    assert (type(host), type(port), type(broker.token)) == (str, int, str)


def test_importing_it_imports_nothing_heavy():
    code = (
        "import sys; import pytest_aiperf.pytest_plugin.lease\n"
        "print([m for m in ('numpy', 'asyncio', 'socketserver', 'orjson', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_where_a_failure_may_stop_the_session_the_next_waits_for_the_last_ones_report():
    with LeaseBroker(until_reported=True) as broker, contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(Lease(broker.address, broker.token)) for _ in range(2))
        first.acquire(exclusive=True, owner="first")
        granted = threading.Event()

        def take_the_next():
            second.acquire(exclusive=True, owner="second", deadline_s=PATIENCE_S)
            granted.set()

        thread = threading.Thread(target=take_the_next)
        thread.start()
        first.release()
        assert not granted.wait(0.3)
        broker.reported("first")
        assert granted.wait(2.0)  # well before the broker would go on without a report
        thread.join()


def test_a_report_that_came_before_the_lease_was_given_back_counts():
    with LeaseBroker(until_reported=True) as broker, contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(Lease(broker.address, broker.token)) for _ in range(2))
        first.acquire(exclusive=True, owner="first")
        broker.reported("first")
        first.release()
        assert second.acquire(exclusive=True, owner="second", deadline_s=PATIENCE_S) < 2.0
