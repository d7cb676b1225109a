from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import termios
import threading
import time

import pytest
from mock_process import raw_chat, read_until, wait_until

from pytest_aiperf.mock_server.send_log import NOT_LOGGED, SendLog


def parsed(log):
    return json.loads(b"".join(log.pieces()))


def test_the_log_tells_id_receipt_sends_and_outcome(start_mock):
    mock = start_mock(ttft_ms=5, itl_ms=1)
    before = time.time_ns()
    mock.chat({"X_Request_Id": "r-7"}, stream=True, max_tokens=3)
    mock.chat(model="other")
    after = time.time_ns()
    log = mock.log()
    assert log["clock"] == "realtime_ns"
    assert log["sent"] == "before_send"
    assert log["dropped"] == 0
    good, bad = log["requests"]
    assert (good["id"], good["outcome"], len(good["sent_ns"])) == ("r-7", "ok", 3)
    assert (bad["id"], bad["outcome"], bad["sent_ns"]) == ("", "http_404", [])
    assert before < good["t_recv_ns"] < good["sent_ns"][0] < good["sent_ns"][2] < bad["t_recv_ns"] < after


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's receive stamps")
@pytest.mark.parametrize("connected", [True, False], ids=["open_connection", "not_yet_accepted"])
def test_receipt_is_when_the_kernel_had_the_request_and_not_when_the_server_got_round_to_it(
    start_mock, connected
):
    mock = start_mock()
    mock.chat(max_tokens=1)  # stamping is on by now
    with mock.connect() if connected else contextlib.nullcontext() as early:
        if early is not None:
            early.sendall(raw_chat(stream=True, max_tokens=1))
            read_until(early, b"0\r\n\r\n")
        os.kill(mock.process.pid, signal.SIGSTOP)
        try:
            with early or mock.connect() as sock:
                sock.sendall(raw_chat(stream=True, max_tokens=1, headers="X-Request-Id: held\r\n"))
                wait_until(
                    lambda: not int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
                )
                acknowledged_ns = time.time_ns()
                os.kill(mock.process.pid, signal.SIGCONT)
                read_until(sock, b"0\r\n\r\n")
        finally:
            os.kill(mock.process.pid, signal.SIGCONT)
    (row,) = [row for row in mock.log()["requests"] if row["id"] == "held"]
    assert row["t_recv_ns"] < acknowledged_ns < row["sent_ns"][0]


def test_the_log_can_be_read_and_cleared_while_a_stream_runs(start_mock):
    mock = start_mock(ttft_ms=0, itl_ms=100)
    with mock.connect() as sock:
        sock.sendall(raw_chat(stream=True, max_tokens=1_000))
        read_until(sock, b"}]}\n\n\r\n")
        (row,) = mock.log()["requests"]
        assert row["outcome"] == "running"
        assert 1 <= len(row["sent_ns"]) < 1_000
        assert mock.request("DELETE", "/log").status == 200
        assert mock.log()["requests"] == []
        mock.chat(max_tokens=1)
    assert [row["outcome"] for row in mock.log()["requests"]] == ["ok"]


def test_a_client_that_hangs_up_is_logged_as_disconnected(start_mock):
    mock = start_mock(ttft_ms=0, itl_ms=20)
    with mock.connect() as sock:
        sock.sendall(raw_chat(stream=True, max_tokens=1_000))
        read_until(sock, b"}]}\n\n\r\n")
    wait_until(lambda: mock.log()["requests"][0]["outcome"] != "running")
    (row,) = mock.log()["requests"]
    assert row["outcome"] == "disconnected"
    assert 1 <= len(row["sent_ns"]) < 1_000


def test_the_log_of_many_requests_can_be_read_during_a_load(start_mock):
    mock = start_mock()
    running = threading.Event()
    running.set()

    def load():
        with mock.connect() as sock:
            while running.is_set():
                sock.sendall(raw_chat(stream=True, max_tokens=4))
                read_until(sock, b"0\r\n\r\n")

    thread = threading.Thread(target=load)
    thread.start()
    try:
        wait_until(lambda: len(mock.log()["requests"]) >= 300)
    finally:
        running.clear()
        thread.join(10)
    rows = mock.log()["requests"]
    assert all(len(row["sent_ns"]) == 4 and row["outcome"] == "ok" for row in rows)
    assert [row["t_recv_ns"] for row in rows] == sorted(row["t_recv_ns"] for row in rows)


def test_interleaved_rows_keep_their_own_stamps():
    log = SendLog()
    a, b = log.open("a", 1, 2), log.open("b", 2, 3)
    log.fill(log.base(b), 2, 20)
    log.fill(log.base(a), 1, 10)
    log.fill(log.base(b) + 2, 1, 21)
    log.close(a, "reset_mid")
    rows = parsed(log)["requests"]
    assert [(row["id"], row["sent_ns"], row["outcome"]) for row in rows] == [
        ("a", [10], "reset_mid"),
        ("b", [20, 20, 21], "running"),
    ]


def test_a_full_log_says_what_it_dropped():
    log = SendLog(max_stamps=10)
    rows = [log.open(str(i), i, 3) for i in range(5)]
    assert rows == [0, 1, NOT_LOGGED, NOT_LOGGED, NOT_LOGGED]
    assert parsed(log)["dropped"] == 3
    assert [row["id"] for row in parsed(log)["requests"]] == ["0", "1"]
    log.clear()
    assert parsed(log) == {"clock": "realtime_ns", "sent": "before_send", "dropped": 0, "requests": []}


def test_a_log_that_is_cleared_while_it_is_read_is_still_json():
    log = SendLog()
    for i in range(40):
        log.open(str(i), i, 1)
    pieces = log.pieces()
    text = next(pieces) + next(pieces)
    log.clear()
    rows = json.loads(text + b"".join(pieces))["requests"]
    assert [row["id"] for row in rows] == [str(i) for i in range(16)]
