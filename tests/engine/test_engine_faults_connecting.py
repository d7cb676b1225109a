"""The fault matrix, before and between answers: connections that do not come about, are lost, or end early."""

from __future__ import annotations

import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from fault_row import check_rows, only_failure
from scripted_server import BODY, STORY, answering, head, stream, then_close, whole

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.common.records import ABSENT, Outcome

CLOSING = stream(STORY).replace(b"200 OK", b"200 OK\r\nconnection: close")
REFUSAL = whole(b'{"error":{"message":"too large"}}', "413 Content Too Large", connection="close")


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


@contextmanager
def full_backlog(listener: socket.socket) -> Iterator[None]:
    """Fill a listener's queue: who connects now hears nothing."""
    listener.listen(0)
    with ExitStack() as stack:
        while True:
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            if not select.select([], [filler], [], 0.1)[1]:
                break
        yield


def test_an_endpoint_that_refuses_is_named(load_over, unused_port):
    message = (
        f"cannot connect to the endpoint: 127.0.0.1:{unused_port}: Connection refused. "
        "Is it running, and is the port right?"
    )
    with pytest.raises(EndpointError, match=re.escape(message)):
        load_over(f"http://127.0.0.1:{unused_port}/")


def test_an_endpoint_that_hears_nothing_is_named_with_the_time_it_was_given(load_over):
    with socket.create_server(("127.0.0.1", 0)) as listener, full_backlog(listener):
        port = listener.getsockname()[1]
        with pytest.raises(EndpointError, match=rf"127\.0\.0\.1:{port}: no answer within 0\.2 s"):
            load_over(f"http://127.0.0.1:{port}/", connect_timeout_s=0.2)


def test_an_unknown_host_is_named(load_over):
    with pytest.raises(EndpointError, match=r"unknown host 'no-such-host\.invalid'"):
        load_over("http://no-such-host.invalid:8000/")


def test_a_connection_refused_in_the_middle_of_a_run_is_a_row(load_over, serve):
    def script(wire):
        wire.request()
        server.stop_listening()
        wire.send(CLOSING)

    server = serve(script)
    batch = load_over(server, requests=3)
    check_rows(batch, 3)
    assert batch.outcome.tolist() == [Outcome.OK, Outcome.ERROR, Outcome.ERROR]
    group = batch.errors[0]
    assert (group.type, group.code, group.count) == ("connect", None, 2)
    assert group.message == f"cannot connect to 127.0.0.1:{server.port}: Connection refused"
    assert batch.t_sent.tolist()[1:] == batch.status.tolist()[1:] == [ABSENT, ABSENT]


def test_a_connection_that_never_comes_about_in_the_middle_of_a_run_times_out(load_over):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one():
            sock, _ = listener.accept()
            with sock, full_backlog(listener):
                sock.recv(65536)
                sock.sendall(CLOSING)
                over.wait(20)

        over = threading.Event()
        thread = threading.Thread(target=serve_one, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        batch = load_over(f"http://127.0.0.1:{port}/", requests=3, connect_timeout_s=0.3)
        over.set()
        thread.join()
    check_rows(batch, 3)
    assert batch.outcome.tolist() == [Outcome.OK, Outcome.ERROR, Outcome.ERROR]
    group = batch.errors[0]
    assert (group.type, group.count) == ("timeout", 2)
    assert group.message == f"no connection to 127.0.0.1:{port} within 0.3 s"
    assert (batch.t_sent[1:] == ABSENT).all()
    assert (batch.t_end[1:] - batch.t0[1:] >= 0.3e9).all()


def test_a_connection_closed_while_idle_is_reopened_once_for_each_and_counted(load_over, serve):
    server = serve(then_close(stream(STORY)))  # closes without having said so
    batch = load_over(server, requests=6)
    check_rows(batch, 6)
    assert (batch.outcome == Outcome.OK).all()
    assert (batch.facts.reopened, server.connections) == (5, 6)


def test_a_connection_reset_when_the_next_request_comes_is_reopened_too(load_over, serve):
    def script(wire):
        wire.request()
        wire.send(stream(STORY))
        wire.request()
        wire.reset()

    server = serve(script)
    batch = load_over(server, requests=4)
    check_rows(batch, 4)
    assert (batch.outcome == Outcome.OK).all()
    assert (batch.facts.reopened, server.connections) == (3, 4)


def test_nothing_is_sent_again_once_a_byte_of_the_answer_came(load_over, serve):
    def script(wire):
        while wire.request() is not None:
            if len(wire.requests) == 2:
                wire.send(b"H")
                return
            wire.send(stream(STORY))

    server = serve(script)
    batch = load_over(server, requests=3)
    check_rows(batch, 3)
    assert batch.outcome.tolist() == [Outcome.OK, Outcome.ERROR, Outcome.OK]
    assert (len(server.requests), batch.facts.reopened) == (3, 0)


def test_nothing_is_sent_again_over_a_new_connection(load_over, serve):
    def script(wire):
        wire.request()
        wire.reset()

    server = serve(script)
    batch = load_over(server, requests=3)
    check_rows(batch, 3)
    assert only_failure(batch)[:2] == (Outcome.ERROR, "reset")
    assert (len(server.requests), batch.facts.reopened) == (3, 0)


def test_a_stall_is_not_a_lost_connection_and_nothing_is_sent_again(load_over, serve):
    def script(wire):
        wire.request()
        wire.send(stream(STORY))
        wire.request()
        wire.hold()

    server = serve(script)
    batch = load_over(server, requests=2, first_byte_timeout_s=0.2)
    check_rows(batch, 2)
    assert batch.outcome.tolist() == [Outcome.OK, Outcome.ERROR]
    assert (len(server.requests), batch.facts.reopened) == (2, 0)


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_servers_that_close_after_each_answer_get_a_connection_for_each_request(load_over, serve, protocol):
    answer = f"{protocol} 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n".encode()
    server = serve(then_close(answer + b"".join(STORY)))
    batch = load_over(server, requests=6, concurrency=2)
    check_rows(batch, 6)
    assert (batch.outcome == Outcome.OK).all()
    assert (batch.content_count() == 3).all()
    assert (server.connections, batch.facts.reopened) == (6, 0)
    assert (np.sort(batch.connecting_ns > 0) == [False] * 2 + [True] * 4).all()


def test_a_stream_that_ends_with_its_connection_is_complete_only_if_it_says_so(load_over, serve):
    server = serve(then_close(head(content_type="text/event-stream") + b"".join(STORY[:3])))
    batch = load_over(server, requests=2)
    check_rows(batch, 2)
    assert only_failure(batch)[:2] == (Outcome.TRUNCATED, "truncated")
    assert batch.content_count().tolist() == [2, 2]


def test_surplus_bytes_spoil_a_connection_and_not_the_next_answer(load_over, serve):
    server = serve(answering(stream(STORY) + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
    batch = load_over(server, requests=3)
    check_rows(batch, 3)
    assert (batch.outcome == Outcome.OK).all()
    assert server.connections == 3


def test_an_answer_before_the_request_was_read_is_the_answer(load_over, serve):
    def script(wire):
        wire.sock.recv(1000)
        wire.send(REFUSAL)
        wire.sock.shutdown(socket.SHUT_WR)
        while wire.sock.recv(65536):
            pass

    batch = load_over(serve(script), bodies=[b"x" * 20_000_000] * 2)
    check_rows(batch, 2)
    assert only_failure(batch) == (Outcome.ERROR, "http", 413, "HTTP 413: too large")


def test_a_server_that_hangs_up_on_half_a_request_is_not_waited_for(load_over, serve):
    def script(wire):
        wire.sock.recv(1000)
        wire.sock.shutdown(socket.SHUT_WR)
        wire.hold()  # and reads nothing

    batch = load_over(serve(script), bodies=[b"x" * 20_000_000], first_byte_timeout_s=10.0)
    check_rows(batch, 1)
    assert only_failure(batch)[:2] == (Outcome.ERROR, "reset")
    assert batch.t_sent[0] == ABSENT


def test_a_connection_with_a_half_sent_request_is_not_used_again(load_over, serve):
    def script(wire):
        wire.sock.recv(1000)
        wire.send(whole(b'{"error":"enough"}', "413 Content Too Large"))
        wire.hold()

    server = serve(script)
    batch = load_over(server, bodies=[b"x" * 20_000_000] * 2)
    check_rows(batch, 2)
    assert only_failure(batch) == (Outcome.ERROR, "http", 413, "HTTP 413: enough")
    assert server.connections == 2


def test_ipv6_addresses_work(load_over, serve):
    server = serve(answering(stream(STORY)), family=socket.AF_INET6)
    batch = load_over(server, requests=4, concurrency=2)
    check_rows(batch, 4)
    assert (batch.outcome == Outcome.OK).all()
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


def test_connections_are_open_before_the_run_and_there_is_one_for_each_slot(load_over, serve):
    everybody = threading.Barrier(4, timeout=5)

    def script(wire):
        everybody.wait()  # reads nothing before all four are connected
        answering(stream(STORY))(wire)

    server = serve(script)
    batch = load_over(server, requests=20, concurrency=4)
    check_rows(batch, 20)
    assert (batch.outcome == Outcome.OK).all()
    assert server.connections == 4
    assert (batch.connecting_ns == 0).all()


def test_no_connection_outlives_a_run(load_over, serve):
    closed = []

    def script(wire):
        wire.request()
        wire.send(stream(STORY))
        closed.append(wire.request())
        all_closed.release()

    all_closed = threading.Semaphore(0)
    load_over(serve(script), requests=3, concurrency=3)
    assert all(all_closed.acquire(timeout=5) for _ in range(3))
    assert closed == [None] * 3


def test_a_body_of_any_size_arrives_whole(load_over, serve):
    server = serve(answering(stream(STORY)))
    bodies = [BODY, bytes(range(256)) * 20_000, BODY]
    batch = load_over(server, bodies=bodies)
    check_rows(batch, 3)
    assert [request.body for request in server.requests] == bodies
    assert (batch.outcome == Outcome.OK).all()
    assert (batch.t_sent != ABSENT).all()
    assert server.connections == 1
