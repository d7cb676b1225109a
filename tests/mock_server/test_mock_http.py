from __future__ import annotations

import json
import resource
import socket

import pytest
from mock_process import chat_body, raw_chat, read_until

from pytest_aiperf.mock_server.http_request import BadRequestError, HeadReader, RequestBuffer

REQUEST = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\ncontent-LENGTH:  3 \r\nX-Request-ID: r-1\r\n\r\nabc"


def taken(buffer):
    found = []
    while (request := buffer.take()) is not None:
        found.append((request[0].method, request[0].path, request[0].request_id, request[1]))
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_any_split_of_the_bytes_gives_the_same_requests(size):
    stream = REQUEST * 2 + b"GET /d HTTP/1.1\r\n\r\n" + REQUEST
    buffer = RequestBuffer(HeadReader())
    found = []
    for at in range(0, len(stream), size):
        buffer.feed(stream[at : at + size])
        found += taken(buffer)
    post = (b"POST", b"/a", "r-1", b"abc")
    assert found == [post, post, (b"GET", b"/d", "", b""), post]
    assert len(buffer) == 0


def test_a_continue_is_wanted_only_until_the_body_begins():
    buffer = RequestBuffer(HeadReader())
    wanted = []
    for piece in (
        b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n",
        b"ab",
        b"GET",
    ):
        buffer.feed(piece)
        buffer.take()
        wanted.append(buffer.wants_continue)
    assert wanted == [True, False, False]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 505),
        (b"hello\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000, 431),
    ],
)
def test_what_is_not_a_readable_request_is_refused_with_its_status(raw, status):
    buffer = RequestBuffer(HeadReader())
    buffer.feed(raw)
    with pytest.raises(BadRequestError) as caught:
        buffer.take()
    assert caught.value.status == status


def test_a_refused_request_is_answered_and_the_connection_closed(start_mock):
    with start_mock().connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\nmore that nobody reads")
        data = b"".join(iter(lambda: sock.recv(65_536), b""))
    assert data.startswith(b"HTTP/1.1 505 ")
    assert b"\r\nConnection: close\r\n" in data


def test_pipelined_requests_are_answered_in_order(start_mock):
    with start_mock(ttft_ms=5, itl_ms=1).connect() as sock:
        sock.sendall(b"".join(raw_chat(stream=True, max_tokens=n) for n in (3, 1, 2)))
        answers = [read_until_count(sock, 3)]
    streams = answers[0].split(b"data: [DONE]")
    assert [part.count(b'"finish_reason":null') - 1 for part in streams[:3]] == [3, 1, 2]


def read_until_count(sock, count):
    data, ends = bytearray(), 0
    while ends < count:
        piece = sock.recv(65_536)
        assert piece
        ends += (data[-4:] + piece).count(b"0\r\n\r\n")
        data += piece
    return bytes(data)


def test_a_connection_serves_request_after_request(start_mock):
    mock = start_mock()
    with mock.connect() as sock:
        for _ in range(5):
            sock.sendall(raw_chat(stream=True, max_tokens=2))
            assert b"[DONE]" in read_until(sock, b"0\r\n\r\n")
    assert [row["outcome"] for row in mock.log()["requests"]] == ["ok"] * 5


def test_a_client_that_waits_for_100_continue_gets_it_once(start_mock):
    body = json.dumps(chat_body(max_tokens=1)).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with start_mock().connect() as sock:
        sock.sendall(head.encode())
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body[:5])
        sock.sendall(body[5:])
        assert read_until(sock, b"}}").startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("role_first", [0, 1])
def test_connection_close_is_announced_and_kept(start_mock, stream, role_first):
    with start_mock(ttft_ms=2, role_first=role_first).connect() as sock:
        sock.sendall(raw_chat(headers="CONNECTION: close\r\n", stream=stream, max_tokens=2))
        data = b"".join(iter(lambda: sock.recv(65_536), b""))
    assert b"\r\nConnection: close\r\n" in data.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert data.endswith(b"0\r\n\r\n" if stream else b"}}")


def test_a_client_that_reads_late_still_gets_everything(start_mock):
    with start_mock().connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sock.sendall(raw_chat(stream=True, max_tokens=30_000))
        sock.sendall(raw_chat(stream=True, max_tokens=1))
        data = read_until_count(sock, 2)
    assert data.count(b'"finish_reason":null') == 30_000 + 1 + 2


def test_a_server_out_of_file_descriptors_serves_the_rest_later(start_mock):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))\n"
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 80
    mock = start_mock(limit)
    crowd = [mock.connect() for _ in range(40)]
    try:
        crowd[0].sendall(raw_chat(max_tokens=1))
        assert read_until(crowd[0], b"}}").startswith(b"HTTP/1.1 200")
        last = crowd.pop()
        last.sendall(raw_chat(max_tokens=1))
    finally:
        for sock in crowd:
            sock.close()
    with last:
        assert read_until(last, b"}}").startswith(b"HTTP/1.1 200")


def test_the_server_ends_when_its_stop_descriptor_does(start_mock):
    mock = start_mock()
    with mock.connect() as sock:
        sock.sendall(raw_chat(stream=True)[:20])
        assert mock.process.poll() is None
        mock.process.stdin.close()
        assert mock.process.wait(10) == 0
