"""Connections: kept, closed, lost, reopened, and never made."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest
from scripted_server import STORY, answering, head, stream, then_close, whole

from pytest_aiperf.common.errors import ConfigurationError, EndpointError
from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.engine.address import Address, first_to_accept


def test_connections_are_kept_and_there_is_one_for_each_slot(load, serve):
    server = serve(answering(stream(STORY)))
    batch = load(server, requests=60, concurrency=3)
    assert server.connections == 3
    assert (batch.outcome == Outcome.OK).all()
    assert batch.facts.reopened == 0


def test_connections_are_open_before_the_first_request_leaves(load, serve):
    everybody = threading.Barrier(4, timeout=5)

    def script(wire):
        everybody.wait()  # reads nothing before all four are connected
        answering(stream(STORY))(wire)

    batch = load(serve(script), requests=8, concurrency=4)
    assert (batch.outcome == Outcome.OK).all()


def test_an_idle_connection_that_the_server_closed_is_reopened_and_the_request_sent_again(load, serve):
    server = serve(then_close(stream(STORY)))  # closes without having said so
    batch = load(server, requests=10, concurrency=1)
    assert (batch.outcome == Outcome.OK).all()
    assert batch.request_index.tolist() == list(range(10))
    assert batch.facts.reopened == 9
    assert server.connections == 10


def test_a_request_is_not_sent_again_once_a_byte_of_its_answer_came(load, serve):
    def script(wire):
        while wire.request() is not None:
            if wire.number == 0 and len(wire.requests) == 2:
                wire.send(b"HTTP/1.1 2")
                return
            wire.send(stream(STORY))

    server = serve(script)
    batch = load(server, requests=3)
    assert batch.outcome.tolist() == [Outcome.OK, Outcome.ERROR, Outcome.OK]
    assert len(server.requests) == 3
    assert batch.facts.reopened == 0


def test_a_new_connection_that_fails_is_not_tried_again(load, serve):
    def script(wire):
        wire.request()
        wire.reset()

    server = serve(script)
    batch = load(server, requests=3)
    assert batch.outcome.tolist() == [Outcome.ERROR] * 3
    assert len(server.requests) == 3


@pytest.mark.parametrize("say", ["Connection: close", "HTTP/1.0"])
def test_servers_that_close_after_each_answer_get_a_connection_for_each_request(load, serve, say):
    body = b"".join(STORY)
    answer = whole(body, content_type="text/event-stream", connection="close")
    if say == "HTTP/1.0":
        answer = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + body
    server = serve(then_close(answer))
    batch = load(server, requests=12, concurrency=3)
    assert (batch.outcome == Outcome.OK).all()
    assert (batch.content_count() == 3).all()
    assert server.connections == 12
    assert batch.facts.reopened == 0


def test_a_connection_with_surplus_bytes_is_not_used_again(load, serve):
    server = serve(answering(stream(STORY) + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
    batch = load(server, requests=3)
    assert (batch.outcome == Outcome.OK).all()
    assert (batch.content_count() == 3).all()
    assert server.connections == 3


def test_a_large_request_is_sent_in_pieces_and_whole(load, serve):
    server = serve(answering(stream(STORY)))
    body = bytes(range(256)) * 40_000
    batch = load(server, bodies=[body, body])
    assert [r.body for r in server.requests] == [body, body]
    assert (batch.t_sent >= batch.t0).all()
    assert (batch.outcome == Outcome.OK).all()


def test_an_answer_before_the_request_was_read_is_still_the_answer(load, serve):
    refusal = whole(b'{"error":{"message":"too large"}}', "413 Content Too Large", connection="close")

    def script(wire):
        wire.sock.recv(1000)
        wire.send(refusal)
        wire.sock.shutdown(socket.SHUT_WR)
        while wire.sock.recv(65536):
            pass

    batch = load(serve(script), bodies=[b"x" * 20_000_000])
    assert (batch.status[0], batch.errors[0].message) == (413, "HTTP 413: too large")


def test_a_connection_on_which_a_request_is_half_sent_is_not_used_for_the_next(load, serve):
    def script(wire):
        wire.sock.recv(1000)
        wire.send(whole(b'{"error":"enough"}', "413 Content Too Large"))
        wire.hold()

    server = serve(script)
    batch = load(server, bodies=[b"x" * 20_000_000] * 2)
    assert batch.status.tolist() == [413, 413]
    assert server.connections == 2


def test_a_refused_endpoint_is_named_with_its_address(load, unused_port):
    with pytest.raises(EndpointError, match=rf"127\.0\.0\.1:{unused_port}: Connection refused"):
        load(f"http://127.0.0.1:{unused_port}/v1/chat/completions")


def test_an_unknown_host_is_named(load):
    with pytest.raises(EndpointError, match=r"unknown host 'no-such-host\.invalid'"):
        load("http://no-such-host.invalid:8000/v1/chat/completions")


def test_an_endpoint_that_goes_away_in_the_middle_leaves_a_row_for_each_request(load, serve):
    def script(wire):
        while wire.request() is not None:
            wire.send(stream(STORY))
            if len(wire.requests) == 5:
                server.stop_listening()
                wire.reset()
                return

    server = serve(script)
    batch = load(server, requests=9)
    assert len(batch) == 9
    assert batch.outcome.tolist() == [Outcome.OK] * 5 + [Outcome.ERROR] * 4
    assert {batch.errors[e].type for e in batch.error[5:]} == {"connect"}
    assert (batch.t0 >= 0).all()
    assert (batch.t_end >= batch.t0).all()
    assert (batch.t_sent[5:] == ABSENT).all()
    assert batch.status[5:].tolist() == [ABSENT] * 4


def test_ipv6_addresses_work(load, serve):
    server = serve(answering(stream(STORY)), family=socket.AF_INET6)
    batch = load(server, requests=4, concurrency=2)
    assert (batch.outcome == Outcome.OK).all()
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


@pytest.fixture
def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


def test_every_address_is_tried_and_the_first_that_accepts_is_taken(serve, unused_port):
    server = serve(answering(stream(STORY)))
    dead = Address(family=socket.AF_INET, sockaddr=("127.0.0.1", unused_port))
    live = Address(family=socket.AF_INET, sockaddr=("127.0.0.1", server.port))

    async def connect():
        address, sock = await first_to_accept([dead, live], timeout_s=5)
        with sock:
            return address, sock.getpeername()

    assert asyncio.run(connect()) == (live, ("127.0.0.1", server.port))


def test_an_endpoint_that_refuses_at_every_address_has_them_all_named(unused_port):
    dead = [Address(family=socket.AF_INET, sockaddr=(f"127.0.0.{i}", unused_port)) for i in (1, 2)]
    with pytest.raises(EndpointError, match=rf"127\.0\.0\.1:{unused_port}: .*; 127\.0\.0\.2:{unused_port}: "):
        asyncio.run(first_to_accept(dead, timeout_s=5))


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x/", "http://", "http://h:99999/", "http://h/a b"])
def test_a_url_that_cannot_be_used_is_a_configuration_error(load, url):
    with pytest.raises(ConfigurationError):
        load(url)


def test_credentials_in_the_url_are_refused_and_not_repeated(load):
    with pytest.raises(ConfigurationError) as raised:
        load("http://user:sesame@127.0.0.1:8000/")
    assert "sesame" not in str(raised.value)


def test_no_connection_is_left_open_after_a_run(load, serve):
    closed = threading.Event()

    def script(wire):
        answering(stream(STORY))(wire)
        closed.set()

    load(serve(script), requests=2)
    assert closed.wait(5)


def test_the_head_of_a_request_is_what_was_agreed(load, serve):
    server = serve(answering(stream(STORY)))
    load(server, headers={"X-Team": "a", "user-agent": "mine"})
    got = server.requests[0]
    assert got.line == "POST /v1/chat/completions HTTP/1.1"
    assert got.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "accept": "text/event-stream",
        "user-agent": "mine",
        "x-team": "a",
        "x-request-id": "00000000-0000-4000-8000-000000000000",
        "content-length": str(len(got.body)),
    }


@pytest.mark.parametrize(
    "headers",
    [{"Content-Length": "3"}, {"x-request-id": "1"}, {"a b": "c"}, {"a": "b\r\nc: d"}, {"a": "\u2713"}],
)
def test_headers_that_would_break_a_request_are_refused(load, serve, headers):
    with pytest.raises(ConfigurationError):
        load(serve(answering(head())), headers=headers)
