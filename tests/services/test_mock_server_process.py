"""The embedded server in its own process."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.request

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.mock_service import MockServerProcess


@pytest.fixture
def server(tmp_path):
    with MockServerProcess(MockOptions(ttft_ms=1, itl_ms=0), log_dir=tmp_path) as server:
        yield server


def ask(url, tokens=3):
    body = {"stream": True, "max_tokens": tokens, "messages": [{"role": "user", "content": "hello"}]}
    request = urllib.request.Request(f"{url}/v1/chat/completions", data=json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.read()


def refuses(url):
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_its_log_holds_each_request_and_each_token(server):
    assert server.log()["requests"] == []
    ask(server.url, tokens=3)
    [request] = server.log()["requests"]
    assert len(request["sent_ns"]) == 3
    server.clear_log()
    assert server.log()["requests"] == []


def test_options_change_for_the_requests_that_follow(server):
    server.change(fault="http_503")
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server.url)
    caught.value.close()
    assert caught.value.code == 503
    server.change(fault="")
    assert b"[DONE]" in ask(server.url)


def test_a_bad_option_is_a_configuration_error(server):
    with pytest.raises(ConfigurationError, match="did you mean 'ttft_ms'"):
        server.change(ttft_mss=3)


def test_a_server_that_refuses_connections_can_be_told_to_stop_that(server):
    url = server.url
    server.change(fault="refused")
    assert refuses(url)
    server.change(fault="")
    assert b"[DONE]" in ask(url)


def test_a_server_can_refuse_from_its_beginning(tmp_path):
    with MockServerProcess(MockOptions(fault="refused"), log_dir=tmp_path) as server:
        assert refuses(server.url)
        server.change(fault="")
        assert b"[DONE]" in ask(server.url)


def test_it_is_gone_after_stop_while_a_stream_runs(server):
    url = server.url
    server.change(itl_ms=1000)
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    body = {"stream": True, "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    reply = connection.getresponse()
    server.stop()
    assert refuses(url)
    with pytest.raises((ConnectionError, http.client.IncompleteRead)):
        reply.read()
    reply.close()
    connection.close()


def test_a_port_that_is_taken_is_a_configuration_error(server, tmp_path):
    port = int(server.url.rpartition(":")[2])
    other = MockServerProcess(MockOptions(), log_dir=tmp_path, port=port)
    with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
        _ = other.url
    other.stop()
