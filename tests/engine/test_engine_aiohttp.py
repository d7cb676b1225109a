"""The aiohttp transport: proxies, and that all else is as over `wire` but for the stamps."""

from __future__ import annotations

import asyncio
import base64
import re
import select
import socket
import threading
import time
from contextlib import asynccontextmanager

import pytest
from scripted_server import (
    BODY,
    LAST_CHUNK,
    STORY,
    STREAM_HEAD,
    Wire,
    answering,
    chunk,
    head,
    stream,
    token,
    whole,
)
from tls_server import Authority, https, over_tls

from pytest_aiperf.common.errors import ConfigurationError, EndpointError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine import LoadPlan, run_load
from pytest_aiperf.engine.address import Address, parse_target
from pytest_aiperf.engine.aiohttp_opener import Opener, _Resolver
from pytest_aiperf.engine.aiohttp_transport import AiohttpTransport
from pytest_aiperf.engine.proxies import parse_proxy, proxies_of
from pytest_aiperf.engine.request_bytes import RequestBytes
from pytest_aiperf.engine.transport import Exchange
from pytest_aiperf.engine.transports import new_transport
from pytest_aiperf.engine.wire import WireTransport

VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
SECRET = "sesame-open-1"


@pytest.fixture(autouse=True)
def no_proxy_variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def tunnelling(wire: Wire) -> None:
    """What an HTTP proxy does with CONNECT."""
    request = wire.request()
    method, place, _ = request.line.split()
    assert method == "CONNECT"
    host, _, port = place.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=5) as onward:
        wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        other = {wire.sock: onward, onward: wire.sock}
        while True:
            for ready in select.select([*other], [], [], 5)[0]:
                data = ready.recv(65536)
                if not data:
                    return
                other[ready].sendall(data)


def proxy_url(server, credentials: str = "") -> str:
    return f"http://{credentials}127.0.0.1:{server.port}"


# Proxies.


def test_a_proxy_is_asked_for_the_whole_url_over_connections_that_are_kept(load, serve):
    proxy = serve(answering(stream(STORY)))
    batch = load("http://model.test:8000/v1/chat?a=b", requests=6, concurrency=2, proxy=proxy_url(proxy))
    assert (batch.outcome == Outcome.OK).all()
    assert {request.line for request in proxy.requests} == {
        "POST http://model.test:8000/v1/chat?a=b HTTP/1.1"
    }
    assert {request.headers["host"] for request in proxy.requests} == {"model.test:8000"}
    assert all(request.body == BODY for request in proxy.requests)
    assert "proxy-authorization" not in proxy.requests[0].headers
    assert proxy.connections == 2
    assert (batch.facts.transport, batch.facts.proxy) == ("aiohttp", f"127.0.0.1:{proxy.port}")
    assert batch.facts.timestamps == "user"


def test_a_proxy_is_told_who_asks_and_nobody_else_is(load, serve):
    def script(wire):
        sent = wire.request().headers["proxy-authorization"]
        wire.send(whole(f"not with {sent}".encode(), "407 Proxy Authentication Required"))

    proxy = serve(script)
    batch = load("http://model.test/", proxy=proxy_url(proxy, f"me:{SECRET}@"))
    sent = base64.b64decode(proxy.requests[0].headers["proxy-authorization"].removeprefix("Basic "))
    assert sent.decode() == f"me:{SECRET}"
    assert "authorization" not in proxy.requests[0].headers
    assert batch.errors[0].message == "HTTP 407: not with Basic ***"
    assert SECRET not in repr((batch.facts, batch.errors))


def test_an_https_target_is_reached_through_a_tunnel(load, serve, authority):
    server = serve(over_tls(authority.server(), answering(stream(STORY))))
    proxy = serve(tunnelling)
    batch = load(
        https(server),
        requests=6,
        concurrency=2,
        proxy=proxy_url(proxy, f"me:{SECRET}@"),
        ca_file=authority.ca_file,
    )
    assert (batch.outcome == Outcome.OK).all()
    assert (batch.content_count() == 3).all()
    assert {request.line for request in proxy.requests} == {f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"}
    assert proxy.requests[0].headers["Proxy-Authorization"].startswith("Basic ")
    assert {request.line for request in server.requests} == {"POST /v1/chat/completions HTTP/1.1"}
    assert not any("proxy" in name.lower() for name in server.requests[0].headers)
    assert (proxy.connections, server.connections) == (2, 2)


def test_the_certificate_behind_a_tunnel_is_verified(load, serve, authority):
    server = serve(over_tls(authority.server(), answering(stream(STORY))))
    proxy = serve(tunnelling)
    with pytest.raises(EndpointError, match=rf"https://127\.0\.0\.1:{server.port} is not trusted"):
        load(https(server), proxy=proxy_url(proxy))
    batch = load(https(server), proxy=proxy_url(proxy), insecure=True)
    assert (batch.outcome[0], batch.facts.insecure) == (Outcome.OK, True)


def test_a_proxy_that_makes_no_tunnel_is_named_with_what_it_says(load, serve):
    proxy = serve(answering(head("403 Not Here", content_length="0")))
    message = (
        rf"the proxy 127\.0\.0\.1:{proxy.port}: it made no tunnel to model\.test:8443 \(HTTP 403 Not Here\)"
    )
    with pytest.raises(EndpointError, match=message):
        load("https://model.test:8443/", proxy=proxy_url(proxy))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named_and_its_password_is_not(load, unused_port, scheme):
    proxy = f"http://me:{SECRET}@127.0.0.1:{unused_port}"
    with pytest.raises(
        EndpointError, match=rf"the proxy 127\.0\.0\.1:{unused_port}: Connection refused"
    ) as e:
        load(f"{scheme}://model.test/", proxy=proxy)
    assert SECRET not in str(e.value)


def test_a_proxy_that_says_nothing_is_given_up_in_time(load, serve):
    proxy = serve(lambda wire: (wire.request(), wire.hold()))
    with pytest.raises(EndpointError, match=rf"the proxy 127\.0\.0\.1:{proxy.port}: no answer within 0\.2 s"):
        load("https://model.test/", proxy=proxy_url(proxy), connect_timeout_s=0.2)


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


# Which transport it is.


def chosen(url: str, *further: str, **fields):
    plan = LoadPlan(url=url, further_urls=further, bodies=[BODY], concurrency=1, **fields)
    return new_transport(plan, [parse_target(u) for u in plan.urls])


def test_auto_is_wire_without_a_proxy_and_aiohttp_with_one():
    assert type(chosen("http://model.test/")) is WireTransport
    assert type(chosen("https://model.test/")) is WireTransport
    through = chosen("http://model.test/", proxy="http://proxy.test:3128")
    assert (type(through), through.proxy) == (AiohttpTransport, "proxy.test:3128")


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://model.test/", "plain.test:3128"),
        ("https://model.test/", "secure.test:80"),
        ("http://here.test/", None),
        ("http://a.here.test/", None),
        ("http://model.test:8000/", None),
    ],
)
def test_env_goes_by_the_variables_for_this_host(monkeypatch, url, proxy):
    monkeypatch.setenv("HTTP_PROXY", "plain.test:3128")
    monkeypatch.setenv("https_proxy", "http://secure.test")
    monkeypatch.setenv("NO_PROXY", "here.test,model.test:8000")
    transport = chosen(url, proxy="env")
    assert (transport.name, transport.proxy) == ("wire" if proxy is None else "aiohttp", proxy)


def test_the_variables_are_ignored_unless_they_are_asked_for(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://plain.test:3128")
    assert chosen("http://model.test/").name == "wire"


def test_of_several_targets_only_those_that_the_variables_name_go_through_the_proxy(load, serve, monkeypatch):
    direct, proxy = serve(answering(stream(STORY))), serve(answering(stream(STORY)))
    monkeypatch.setenv("HTTP_PROXY", proxy_url(proxy))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    batch = load(direct, requests=6, further_urls=["http://model.test/x"], proxy="env")
    assert (batch.outcome == Outcome.OK).all()
    assert {request.line for request in direct.requests} == {"POST /v1/chat/completions HTTP/1.1"}
    assert {request.line for request in proxy.requests} == {"POST http://model.test/x HTTP/1.1"}
    assert len(direct.requests) == len(proxy.requests) == 3


def test_wire_with_a_proxy_is_refused_with_what_to_do_instead():
    with pytest.raises(ConfigurationError, match=r"'wire' cannot go through the proxy proxy\.test:3128; set"):
        chosen("http://model.test/", transport="wire", proxy=f"http://me:{SECRET}@proxy.test:3128")


def test_wire_is_not_refused_where_the_variables_name_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://plain.test:3128")
    monkeypatch.setenv("NO_PROXY", "model.test")
    assert chosen("http://model.test/", transport="wire", proxy="env").name == "wire"


def test_a_transport_that_does_not_exist_is_refused():
    with pytest.raises(ConfigurationError, match="aiohttp"):
        chosen("http://model.test/", transport="aiohtp")


@pytest.mark.parametrize(
    "url", ["socks5://p:1", "https://p:1", "http://", "http://p:99999", "http://p:1/path"]
)
def test_a_proxy_of_another_kind_is_refused_and_its_password_not_repeated(url):
    with_password = url.replace("://", f"://me:{SECRET}@") if url != "http://" else url
    with pytest.raises(ConfigurationError, match=r"^the proxy ") as raised:
        chosen("http://model.test/", proxy=with_password)
    assert SECRET not in str(raised.value)


def test_a_proxys_credentials_are_unquoted_and_not_in_its_repr():
    proxy = parse_proxy("http://me%40work:p%3Aw@[::1]:3128", "the proxy")
    assert base64.b64decode(proxy.authorization.removeprefix("Basic ")) == b"me@work:p:w"
    assert (str(proxy), proxy.url) == ("[::1]:3128", "http://[::1]:3128")
    assert "Basic" not in repr(proxy)


def test_no_proxy_is_looked_for_where_none_is_asked_for():
    plan = LoadPlan(url="http://model.test/", bodies=[BODY], concurrency=1)
    assert proxies_of(plan, [parse_target(plan.url)]) == [None]


# As over wire.


@asynccontextmanager
async def opened(plan: LoadPlan):
    """The transport of a plan, driven by hand, and the queue of what ended."""
    transport = AiohttpTransport(plan, [parse_target(plan.url)])
    ended = asyncio.Queue()
    await transport.open(1, ended.put_nowait)
    try:
        yield transport, ended
    finally:
        transport.close()


def request_of(plan: LoadPlan, number: int = 0) -> Exchange:
    return Exchange(number, 0, RequestBytes(plan, [parse_target(plan.url)], ChatEndpoint())[number])


def test_requests_are_byte_for_byte_those_of_wire(load, serve):
    server = serve(answering(stream(STORY)))
    seen = []
    for transport in ("wire", "aiohttp"):
        server.requests.clear()
        load(server, requests=3, transport=transport, headers={"X-Team": "a", "user-agent": "mine"})
        seen.append([(r.line, list(r.headers.items()), r.body) for r in server.requests])
    assert seen[0] == seen[1]


def test_cookies_are_not_kept(load, serve):
    answer = stream(STORY).replace(b"200 OK", b"200 OK\r\nset-cookie: a=b; Path=/")
    server = serve(answering(answer))
    load(server, requests=3, transport="aiohttp")
    assert not any("cookie" in request.headers for request in server.requests)


TURNS = [(0, False), (1, False), (0, True), (1, False), (1, True), (0, True)]
"""Conversation of each request, and whether it is its last."""


@pytest.mark.parametrize(
    ("reuse", "connections"),
    [
        ("pooled", 1),
        ("never", 1 + len(TURNS)),
        ("sticky", 1 + 3),
    ],  # the first one finds out whether anybody is there
)
def test_connections_are_reused_as_the_plan_has_it(serve, reuse, connections):
    server = serve(answering(stream(STORY)))
    plan = LoadPlan(
        url=server.url,
        bodies=[BODY] * len(TURNS),
        concurrency=1,
        transport="aiohttp",
        connection_reuse=reuse,
    )

    async def main():
        async with opened(plan) as (transport, ended):
            for number, (conversation, last) in enumerate(TURNS):
                exchange = request_of(plan, number)
                exchange.conversation, exchange.last_of_conversation = conversation, last
                transport.send(exchange)
                await asyncio.wait_for(ended.get(), 5)
                assert exchange.failure is None

    asyncio.run(main())
    assert server.connections == connections


def test_a_watcher_sees_the_body_grow_and_may_cancel(serve):
    def script(wire):
        wire.request()
        wire.send(STREAM_HEAD)
        for _ in range(50):
            wire.send(chunk(token("a")))
            time.sleep(0.01)  # apart on the wire: the subject of the test

    server = serve(script)
    plan = LoadPlan(url=server.url, bodies=[BODY], concurrency=1, transport="aiohttp")
    seen = []

    async def main():
        async with opened(plan) as (transport, ended):

            def watch(exchange):
                seen.append((len(exchange.parts), len(exchange.stamps), exchange.t_hdr > 0))
                if len(exchange.parts) >= 3:
                    transport.cancel(exchange)

            exchange = request_of(plan)
            exchange.watch = watch
            transport.send(exchange)
            await asyncio.wait_for(ended.get(), 5)
            return exchange

    exchange = asyncio.run(main())
    assert exchange.cancelled
    assert len(exchange.parts) == len(exchange.stamps) >= 3
    assert [parts for parts, _, _ in seen] == sorted(parts for parts, _, _ in seen)
    assert all(parts == stamps and hdr for parts, stamps, hdr in seen)


@pytest.mark.parametrize("size", [100, 5_000_000])
def test_tls_without_a_proxy_is_as_over_wire_client_certificate_included(load, serve, authority, size):
    server = serve(over_tls(authority.server(client_certificates=True), answering(stream(STORY))))
    certificate, key = authority.client()
    bodies = [b"x" * size] * 3
    batch = load(
        https(server),
        bodies=bodies,
        transport="aiohttp",
        ca_file=authority.ca_file,
        client_certificate=certificate,
        client_key=key,
    )
    assert (batch.outcome == Outcome.OK).all()
    assert [request.body for request in server.requests] == bodies
    assert (batch.t_sent >= batch.t0).all()
    assert (server.connections, batch.facts.timestamps) == (1, "user")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (whole(b"what?", "400 Bad Request"), "does not speak TLS; is it http://127.0.0.1:"),
        (b"", "closed the connection during the TLS handshake; does it speak TLS there?"),
    ],
)
def test_a_server_that_does_not_speak_tls_is_told_by_its_answer(load, serve, answer, message):
    server = serve(lambda wire: (wire.sock.recv(1000), wire.send(answer)))
    with pytest.raises(EndpointError, match=re.escape(message)):
        load(https(server), transport="aiohttp")


def test_the_stamp_of_a_read_lies_between_its_send_and_the_next_one(serve):
    seen = threading.Semaphore(0)
    sent_ns = []

    def script(wire):
        wire.request()
        wire.send(STREAM_HEAD)
        for piece in STORY:
            sent_ns.append(time.time_ns())
            wire.send(chunk(piece))
            seen.acquire(timeout=5)  # the next one goes out when this one was read
        wire.send(LAST_CHUNK)

    server = serve(script)
    plan = LoadPlan(url=server.url, bodies=[BODY], concurrency=1)

    async def main():
        async with opened(plan) as (transport, ended):
            exchange = request_of(plan)
            exchange.watch = lambda _: seen.release()
            transport.send(exchange)
            await asyncio.wait_for(ended.get(), 5)
            return transport.timestamps, exchange.stamps

    timestamps, stamps = asyncio.run(main())
    assert timestamps == "user"
    assert len(stamps) == len(STORY)
    in_turn = [at for pair in zip(sent_ns, stamps, strict=True) for at in pair]
    assert in_turn == sorted(in_turn)


def test_a_request_that_still_waits_for_its_connection_can_be_cancelled(serve, monkeypatch):
    server = serve(answering(stream(STORY)))
    plan = LoadPlan(url=server.url, bodies=[BODY], concurrency=1, connection_reuse="never")

    async def never(self, target, proxy):
        await asyncio.sleep(60)

    async def main():
        async with opened(plan) as (transport, ended):
            monkeypatch.setattr(Opener, "open", never)
            exchange = request_of(plan)
            transport.send(exchange)
            await asyncio.sleep(0)
            transport.cancel(exchange)
            await asyncio.wait_for(ended.get(), 5)
            async with asyncio.timeout(5):
                while len(asyncio.all_tasks()) > 1:
                    await asyncio.sleep(0.001)
            return exchange

    exchange = asyncio.run(main())
    assert (exchange.cancelled, exchange.failure.type, exchange.t_sent) == (True, "cancelled", 0)
    assert exchange.t_end >= exchange.t0 > 0


def test_nothing_is_left_behind_after_a_run(load, serve):
    """Tasks, timers, or sockets that only the collector would close (and warn about)."""
    server = serve(answering(stream(STORY)))
    plan = LoadPlan(url=server.url, bodies=[BODY] * 9, concurrency=3, transport="aiohttp")

    async def main():
        loop = asyncio.get_running_loop()
        await run_load(plan)
        assert asyncio.all_tasks(loop) == {asyncio.current_task()}
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_run_that_is_aborted_while_it_connects_leaves_no_task_behind(serve):
    proxy = serve(lambda wire: (wire.request(), wire.hold()))
    plan = LoadPlan(
        url="https://model.test/",
        bodies=[BODY] * 2,
        concurrency=2,
        transport="aiohttp",
        proxy=proxy_url(proxy),
    )

    async def main():
        abort = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, abort.set)
        async with asyncio.timeout(10):
            batch = await run_load(plan, abort=abort)
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.001)
        return batch

    batch = asyncio.run(main())
    assert (len(batch), batch.facts.cut_short) == (0, "aborted; 0 of 2 requests had been sent")


# Addresses.


def test_a_name_is_looked_up_once_and_stays_with_the_address_that_accepted(monkeypatch):
    looked_up = []

    async def resolve(target, timeout_s):
        looked_up.append(target.host)
        return [
            Address(family=socket.AF_INET, sockaddr=(host, target.port))
            for host in ("127.0.0.2", "127.0.0.1")
        ]

    monkeypatch.setattr("pytest_aiperf.engine.aiohttp_opener.resolve", resolve)

    async def main():
        resolver = _Resolver(5.0)
        both = await resolver.resolve("model.test", 8000)
        resolver.settle(("127.0.0.1", 8000))
        return both, await resolver.resolve("model.test", 8000)

    both, settled = asyncio.run(main())
    assert [found["host"] for found in both] == ["127.0.0.2", "127.0.0.1"]
    assert [found["host"] for found in settled] == ["127.0.0.1"]
    assert looked_up == ["model.test"]


def test_of_a_name_with_a_dead_address_the_live_one_is_taken_and_the_other_not_tried_again(
    load, serve, monkeypatch
):
    async def two_addresses(target, timeout_s):
        return [
            Address(family=socket.AF_INET6, sockaddr=("::1", target.port, 0, 0)),
            Address(family=socket.AF_INET, sockaddr=("127.0.0.1", target.port)),
        ]

    async def told(self, *args, **kwargs):
        found = await resolve(self, *args, **kwargs)
        tried.append(len(found))
        return found

    tried = []
    resolve = _Resolver.resolve
    monkeypatch.setattr("pytest_aiperf.engine.aiohttp_opener.resolve", two_addresses)
    monkeypatch.setattr(_Resolver, "resolve", told)
    server = serve(answering(stream(STORY)))
    batch = load(f"http://model.test:{server.port}/", requests=9, concurrency=3, transport="aiohttp")
    assert (batch.outcome == Outcome.OK).all()
    assert server.requests[0].headers["host"] == f"model.test:{server.port}"
    assert tried == [2, 1, 1]
