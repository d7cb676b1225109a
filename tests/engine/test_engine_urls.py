"""Several URLs: round robin, a pool for each, and all of them there before the start."""

from __future__ import annotations

import asyncio
import socket
import threading

import numpy as np
import pytest
from driving import driving
from scripted_server import STORY, answering, head, stream, whole

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine import LoadPlan, wire
from pytest_aiperf.engine.address import parse_target
from pytest_aiperf.engine.request_bytes import RequestBytes, request_number


@pytest.fixture
def servers(serve):
    return [serve(answering(stream(STORY))) for _ in range(3)]


@pytest.fixture
def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


def numbers(server):
    return sorted(request_number(request.headers["x-request-id"]) for request in server.requests)


def test_requests_go_round_robin(load, servers):
    batch = load(servers[0], requests=11, concurrency=4, further_urls=[s.url for s in servers[1:]])
    assert (batch.outcome == Outcome.OK).all()
    assert [numbers(server) for server in servers] == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8]]


def test_each_target_gets_its_own_host_and_path(load, servers):
    first, second, _ = servers
    load(first, requests=2, further_urls=[f"http://localhost:{second.port}/other?x=1"])
    assert first.requests[0].headers["host"] == f"127.0.0.1:{first.port}"
    assert second.requests[0].headers["host"] == f"localhost:{second.port}"
    assert second.requests[0].line == "POST /other?x=1 HTTP/1.1"


def test_connections_to_all_targets_are_open_before_the_first_request_leaves(load, serve):
    everybody = threading.Barrier(4, timeout=5)

    def script(wire):
        everybody.wait()  # reads nothing before two are connected to each of the two
        answering(stream(STORY))(wire)

    first, second = serve(script), serve(script)
    load(first, requests=4, concurrency=4, further_urls=[second.url])
    assert (first.connections, second.connections) == (2, 2)


def test_connections_of_one_target_are_not_used_for_another(load, servers):
    first, second, _ = servers
    load(first, requests=20, concurrency=1, further_urls=[second.url])
    assert (first.connections, second.connections) == (1, 1)


def test_a_target_that_is_not_there_is_named_before_anything_is_sent(load, servers, unused_port):
    missing = f"http://127.0.0.1:{unused_port}"
    with pytest.raises(EndpointError) as raised:
        load(servers[0], requests=3, further_urls=[f"{missing}/v1", servers[1].url])
    assert f"1 of the 3 endpoints cannot be used. {missing}: cannot connect" in str(raised.value)
    assert f":{servers[0].port}" not in str(raised.value)
    assert not any(server.requests for server in servers)


def test_a_share_of_a_plan_sends_each_request_to_the_target_of_the_whole_plan(servers):
    """Bodies that are used again count on: the second round of the share is that of the whole."""
    first, second, _ = servers
    share = {"bodies": [b"1", b"4", b"3"], "numbers": np.array([1, 4, 3], dtype=np.int32), "whole": 5}

    async def main():
        async with driving(first, further_urls=[second.url], **share) as driver:
            for _ in range(6):
                assert (await driver.request()).failure is None

    asyncio.run(main())
    assert (numbers(first), numbers(second)) == ([4, 6, 8], [1, 3, 9])
    assert [r.body for r in second.requests] == [b"1", b"3", b"4"]


def test_requests_are_numbered_on_when_bodies_are_used_again():
    plan = LoadPlan(url="http://h/", bodies=[b"a", b"b"], concurrency=1, count=5)
    requests = RequestBytes(plan, [parse_target(plan.url)], ChatEndpoint())
    assert [requests[i][-1:] for i in range(5)] == [b"a", b"b", b"a", b"b", b"a"]
    assert b"000000000004\r\n" in requests[4]


def test_names_are_looked_up_once_in_a_run(load, servers, monkeypatch):
    looked_up = []
    resolve = wire.resolve

    async def counting(target, timeout_s):
        looked_up.append(target.port)
        return await resolve(target, timeout_s)

    monkeypatch.setattr(wire, "resolve", counting)
    first, second, _ = servers
    load(first, requests=12, concurrency=2, further_urls=[second.url], connection_reuse="never")
    assert looked_up == [first.port, second.port]
    assert first.connections == second.connections == 7


def test_one_target_that_fails_later_takes_only_its_own_requests_along(load, serve, servers):
    broken = serve(answering(whole(b"no", "500 Oops")))
    batch = load(servers[0], requests=10, concurrency=2, further_urls=[broken.url])
    failed = batch.request_index[batch.outcome == Outcome.ERROR]
    assert sorted(failed.tolist()) == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_interim_answers_are_passed_over_on_a_kept_connection(load, serve, interim):
    server = serve(answering(head(interim, link="</x>; rel=preload") + stream(STORY)))
    batch = load(server, requests=5)
    assert (batch.outcome == Outcome.OK).all()
    assert server.connections == 1
