"""Lower bounds only: nothing is sent before it is due, however busy the machine is."""

from __future__ import annotations

import threading

import pytest
from mock_process import raw_chat, read_until, wait_until

MS = 1_000_000


def first_row(mock):
    return mock.log()["requests"][0]


def since_receipt_ms(row):
    return [(stamp - row["t_recv_ns"]) / MS for stamp in row["sent_ns"]]


def test_each_token_is_sent_no_earlier_than_its_absolute_due_time(start_mock):
    mock = start_mock(ttft_ms=20, itl_ms=3)
    mock.chat(stream=True, max_tokens=8)
    sent = since_receipt_ms(first_row(mock))
    assert len(sent) == 8
    assert all(at >= 20 + 3 * k - 0.01 for k, at in enumerate(sent))


def test_lateness_does_not_accumulate(start_mock):
    mock = start_mock(ttft_ms=5, itl_ms=1)
    mock.chat(stream=True, max_tokens=400)
    late = [at - 5 - k for k, at in enumerate(since_receipt_ms(first_row(mock)))]
    # With a delay counted from the send before, 399 steps of at least a timer's slack would add up.
    assert min(late[300:]) < 2


def test_planted_slowdowns_reach_the_wire(start_mock):
    mock = start_mock(ttft_ms=10, itl_ms=2, slow_pct=100, ttft_slow_pct=100)
    mock.chat(stream=True, max_tokens=5)
    sent = since_receipt_ms(first_row(mock))
    assert sent[0] >= 40 - 0.01
    assert sent[-1] >= 40 + 4 * 4 - 0.01


def test_an_answer_that_is_not_streamed_comes_with_its_last_token(start_mock):
    mock = start_mock(ttft_ms=10, itl_ms=5)
    mock.chat(max_tokens=5)
    (sent,) = since_receipt_ms(first_row(mock))
    assert sent >= 30 - 0.01


@pytest.mark.parametrize("role_first", [1, 0])
def test_the_role_message_comes_at_once_or_with_the_first_token(start_mock, role_first):
    mock = start_mock(ttft_ms=400, role_first=role_first)
    with mock.connect() as sock:
        sock.sendall(raw_chat(stream=True, max_tokens=1))
        first = sock.recv(65_536)
        assert first.startswith(b"HTTP/1.1 200 OK")
        assert (b'"role":"assistant"' in first, b'"content":"the "' in first) == (True, not role_first)
        if role_first:
            assert first_row(mock)["sent_ns"] == []
            read_until(sock, b"0\r\n\r\n")


def test_without_delays_an_answer_is_one_send(start_mock):
    mock = start_mock()
    mock.chat(stream=True, max_tokens=16)
    assert len(set(first_row(mock)["sent_ns"])) == 1
    assert len(first_row(mock)["sent_ns"]) == 16


def test_a_share_of_requests_stalls(start_mock):
    mock = start_mock(stall_pct=100, stall_ms=50, itl_ms=1)
    mock.chat(stream=True, max_tokens=3)
    assert since_receipt_ms(first_row(mock))[0] >= 50 - 0.01


def test_capacity_makes_requests_wait_in_order(start_mock):
    mock = start_mock(ttft_ms=20, itl_ms=5, capacity=1)
    socks = [mock.connect() for _ in range(3)]
    for sock in socks:
        sock.sendall(raw_chat(stream=True, max_tokens=3))
    for sock in socks:
        read_until(sock, b"0\r\n\r\n")
        sock.close()
    first, second, third = mock.log()["requests"]
    assert second["sent_ns"][0] >= first["sent_ns"][-1] + 20 * MS
    assert third["sent_ns"][0] >= second["sent_ns"][-1] + 20 * MS


def test_a_client_that_leaves_the_queue_holds_up_nobody(start_mock):
    mock = start_mock(ttft_ms=250, capacity=1)
    with mock.connect() as first, mock.connect() as third:
        first.sendall(raw_chat(stream=True, max_tokens=1))
        read_until(first, b"}]}\n\n\r\n")
        with mock.connect() as second:
            second.sendall(raw_chat(stream=True, max_tokens=1))
            wait_until(lambda: len(mock.log()["requests"]) == 2)
        third.sendall(raw_chat(stream=True, max_tokens=1))
        read_until(first, b"0\r\n\r\n")
        read_until(third, b"0\r\n\r\n")
    assert [row["outcome"] for row in mock.log()["requests"]] == ["ok", "disconnected", "ok"]


def test_many_streams_at_once_all_get_their_tokens(start_mock):
    mock = start_mock(ttft_ms=10, itl_ms=2, jitter=0.3)

    def one_client(found):
        with mock.connect() as sock:
            for _ in range(3):
                sock.sendall(raw_chat(stream=True, max_tokens=20))
                found.append(read_until(sock, b"0\r\n\r\n").count(b'"finish_reason":null') - 1)

    found: list[int] = []
    threads = [threading.Thread(target=one_client, args=(found,)) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [20] * 96
    rows = mock.log()["requests"]
    assert len(rows) == 96
    assert all(row["sent_ns"] == sorted(row["sent_ns"]) and len(row["sent_ns"]) == 20 for row in rows)


def test_options_change_while_the_server_runs(start_mock):
    mock = start_mock(ttft_ms=1, itl_ms=1, osl=4)
    mock.chat(stream=True)
    reply = mock.request("POST", "/options", {"ttft_ms": 60, "osl": 2})
    assert reply.json["ttft_ms"] == 60
    assert reply.json["itl_ms"] == 1
    mock.chat(stream=True)
    before, after = mock.log()["requests"]
    assert len(before["sent_ns"]) == 4
    assert len(after["sent_ns"]) == 2
    assert since_receipt_ms(after)[0] >= 60 - 0.01


@pytest.mark.parametrize("body", [b'{"itl": 3}', b"[]", b"{", b'{"osl": 0}'])
def test_a_bad_change_of_options_changes_nothing(start_mock, body):
    mock = start_mock(osl=3)
    assert mock.request("POST", "/options", body).status == 400
    assert mock.request("POST", "/options", {}).json["osl"] == 3
