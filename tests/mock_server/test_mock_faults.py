from __future__ import annotations

import json
import socket

import pytest
from mock_process import DEADLINE_S, raw_chat, read_until, wait_until

TOKENS = 6
HALF = 3


def receive(mock, sock):
    """Return what came, and how it ended: ``eof``, ``reset`` or ``silence``."""
    data = b""
    silent = False
    sock.settimeout(0.2)
    while True:
        try:
            piece = sock.recv(65_536)
        except ConnectionResetError:
            return data, "reset"
        except TimeoutError:
            # Silence counts once the server has said all that it meant to say: everything sent before has come.
            if silent:
                return data, "silence"
            silent = outcome(mock) != ["running"]
            continue
        if not piece:
            return data, "eof"
        data += piece


def ask(mock, *, stream=True):
    with mock.connect() as sock:
        sock.sendall(raw_chat(stream=stream, max_tokens=TOKENS))
        return receive(mock, sock)


def content_messages(data):
    return data.count(b'"finish_reason":null') - 1


def outcome(mock):
    return [row["outcome"] for row in mock.log()["requests"]]


def logged_tokens(mock):
    return [len(row["sent_ns"]) for row in mock.log()["requests"]]


def test_refused_accepts_nothing(start_mock):
    mock = start_mock(fault="refused")
    with pytest.raises(ConnectionRefusedError):
        mock.connect()


def test_a_server_can_go_down_and_come_back_on_the_same_port(start_mock):
    mock = start_mock()
    with mock.connect() as control, mock.connect() as other:
        other.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        read_until(other, b"}")
        for fault in ("refused", ""):
            body = json.dumps({"fault": fault}).encode()
            control.sendall(b"POST /options HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            read_until(control, b"}")
            if fault:
                with pytest.raises(ConnectionRefusedError):
                    mock.connect()
                assert other.recv(1) == b""
    assert mock.chat().status == 200


@pytest.mark.parametrize("itl_ms", [0, 2])
@pytest.mark.parametrize(
    ("fault", "messages", "end"),
    [
        ("reset_mid", HALF, "reset"),
        ("stall_mid", HALF, "silence"),
        ("truncate_eof", HALF, "eof"),
    ],
)
def test_faults_in_the_middle_of_a_stream(start_mock, itl_ms, fault, messages, end):
    mock = start_mock(fault=fault, ttft_ms=itl_ms, itl_ms=itl_ms)
    data, ended = ask(mock)
    assert (content_messages(data), ended) == (messages, end)
    assert data.startswith(b"HTTP/1.1 200 OK")
    assert b"[DONE]" not in data
    assert not data.endswith(b"0\r\n\r\n")
    assert (outcome(mock), logged_tokens(mock)) == ([fault], [messages])


def test_reset_comes_before_the_head(start_mock):
    mock = start_mock(fault="reset")
    assert ask(mock) == (b"", "reset")
    assert outcome(mock) == ["reset"]


def test_stall_sends_the_head_and_nothing_more(start_mock):
    mock = start_mock(fault="stall")
    data, ended = ask(mock)
    assert (data.partition(b"\r\n\r\n")[2], ended) == (b"", "silence")
    assert data.startswith(b"HTTP/1.1 200 OK")


def test_truncate_ends_the_body_well_but_not_the_answer(start_mock):
    reply = start_mock(fault="truncate", ttft_ms=1, itl_ms=1).chat(stream=True, max_tokens=TOKENS)
    events = [json.loads(event) for event in reply.data]
    assert len(events) == 1 + HALF
    assert all(event["choices"][0]["finish_reason"] is None for event in events)


def test_truncate_eof_breaks_off_inside_a_chunk(start_mock):
    data, _ = ask(start_mock(fault="truncate_eof"))
    last = data.rpartition(b"\n\n\r\n")[2]
    size, _, rest = last.partition(b"\r\n")
    assert 0 < len(rest) < int(size, 16)


def test_an_error_object_comes_after_content(start_mock):
    reply = start_mock(fault="stream_error", ttft_ms=1, itl_ms=1).chat(stream=True, max_tokens=TOKENS)
    events = [json.loads(event) for event in reply.data]
    assert reply.status == 200
    assert len(events) == 1 + HALF + 1
    assert set(events[-1]) == {"error"}
    assert events[-1]["error"]["message"]


def test_bad_json_is_one_message_of_a_stream_that_ends_well(start_mock):
    reply = start_mock(fault="bad_json").chat(stream=True, max_tokens=TOKENS)
    *events, done = reply.data
    with pytest.raises(json.JSONDecodeError):
        json.loads(events[1 + HALF])
    assert [json.loads(event) for event in events[: 1 + HALF]]
    assert done == "[DONE]"


def test_a_web_page_instead_of_an_api(start_mock):
    reply = start_mock(fault="html").chat(stream=True)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert b"<html>" in reply.body


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_http_errors_have_openais_error_object(start_mock, status):
    mock = start_mock(fault=f"http_{status}")
    reply = mock.chat(stream=True)
    assert reply.status == status
    assert reply.json["error"]["message"]
    assert ("retry-after" in reply.headers) == (status == 429)
    assert outcome(mock) == [f"http_{status}"]


def test_rate_limit_is_http_429(start_mock):
    reply = start_mock(fault="rate_limit").chat()
    assert reply.status == 429
    assert reply.json["error"]["type"] == "rate_limit_error"


def test_redirect_names_another_place(start_mock):
    reply = start_mock(fault="redirect").chat()
    assert (reply.status, reply.headers["location"]) == (302, "/elsewhere")


@pytest.mark.parametrize(
    ("fault", "end"),
    [("reset_mid", "reset"), ("stall_mid", "silence"), ("truncate_eof", "eof"), ("stall", "silence")],
)
def test_answers_that_are_not_streamed_break_off_too(start_mock, fault, end):
    data, ended = ask(start_mock(fault=fault), stream=False)
    head, _, body = data.partition(b"\r\n\r\n")
    promised = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    assert ended == end
    assert len(body) < promised
    assert bool(body) == (fault != "stall")


def test_answers_that_are_not_streamed_can_be_wrong_in_whole(start_mock):
    mock = start_mock(fault="bad_json")
    with pytest.raises(json.JSONDecodeError):
        _ = mock.chat().json
    mock.request("POST", "/options", {"fault": "stream_error"})
    assert set(mock.chat().json) == {"error"}
    mock.request("POST", "/options", {"fault": "truncate"})
    assert mock.chat().json["choices"][0]["finish_reason"] is None


def test_shares_of_requests_meet_errors_and_faults_and_a_rerun_gives_the_same(start_mock):
    seen = []
    for _ in range(2):
        mock = start_mock(error_pct=30, fault="html", fault_pct=30, seed=5)
        with mock.connect() as sock:
            for _ in range(60):
                sock.sendall(raw_chat(max_tokens=1))
                read_until(sock, (b"}", b"</html>"))
        seen.append(outcome(mock))
    assert seen[0] == seen[1]
    assert set(seen[0]) == {"ok", "html", "http_500"}


def test_faults_leave_the_control_routes_alone(start_mock):
    mock = start_mock(fault="reset")
    assert mock.request("GET", "/health").status == 200
    assert mock.request("GET", "/v1/models").status == 200
    assert mock.request("POST", "/options", {"fault": ""}).status == 200
    assert mock.chat().status == 200


def test_a_silent_stream_keeps_its_place_until_its_client_hangs_up(start_mock):
    mock = start_mock(fault="stall", capacity=1)
    first = socket.create_connection(("127.0.0.1", mock.port), timeout=DEADLINE_S)
    first.sendall(raw_chat(stream=True))
    read_until(first, b"\r\n\r\n")
    mock.request("POST", "/options", {"fault": ""})
    with mock.connect() as second:
        second.sendall(raw_chat(max_tokens=1))
        wait_until(lambda: len(outcome(mock)) == 2)
        assert outcome(mock) == ["stall", "running"]
        first.close()
        assert read_until(second, b"}}").startswith(b"HTTP/1.1 200")
