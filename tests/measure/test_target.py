"""The server under test, asked which model it serves, over real sockets."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure import target
from pytest_aiperf.measure.target import find_target, request_url

MODELS = b'{"object": "list", "data": [{"id": "first-model"}, {"id": "second"}]}'


@contextlib.contextmanager
def serving(
    body=MODELS,
    *,
    status=200,
    paths=("/v1/models",),
    before_answer=lambda: None,
    prepare=lambda server: None,
):
    """A small HTTP server; yields its URL and the requests that it saw: (path, Authorization)."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("Authorization")))
            before_answer()
            known = self.path in paths
            self.send_response(status if known else 404)
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(body if known else b"not here")

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            """Of a client that does not trust the certificate."""

    server = Server(("127.0.0.1", 0), Handler)
    prepare(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def speaking(words, *, then=lambda connection: None):
    """A socket that says these bytes to whoever connects, whatever is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(words)
                    then(connection)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.close()
            thread.join()


def found(url, **endpoint):
    return find_target(AIPerfConfig.model_validate({"endpoint": {"url": url} | endpoint}))


def refusal(url):
    with pytest.raises(EndpointError) as caught:
        found(url)
    return str(caught.value)


@pytest.mark.parametrize(
    ("base", "joined"),
    [
        ("http://h", "http://h/v1/chat/completions"),
        ("http://h/", "http://h/v1/chat/completions"),
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/proxy/llm", "http://h/proxy/llm/v1/chat/completions"),
        ("http://h/proxy/v1", "http://h/proxy/v1/chat/completions"),
        ("http://h/xv1", "http://h/xv1/v1/chat/completions"),
    ],
)
def test_the_api_path_is_joined_to_whatever_part_of_it_was_given(base, joined):
    assert request_url(base, "/v1/chat/completions") == joined


def test_the_first_model_that_the_server_lists_is_taken():
    with serving() as (url, seen):
        assert found(url).model == "first-model"
        assert found(url).url == f"{url}/v1/chat/completions"
    assert [path for path, _ in seen] == ["/v1/models"] * 2


@pytest.mark.parametrize("suffix", ["", "/v1", "/v1/chat/completions"])
def test_the_model_is_asked_for_beside_the_api_however_the_url_was_given(suffix):
    with serving() as (url, _):
        target_ = found(url + suffix)
    assert target_.model == "first-model"
    assert target_.url == f"{url}/v1/chat/completions"


def test_a_named_model_is_not_asked_for():
    assert found("http://127.0.0.1:9", model="mine").model == "mine"


def test_the_api_key_comes_from_the_environment(monkeypatch):
    with serving() as (url, seen):
        found(url)
        monkeypatch.setenv("AIPERF_API_KEY", "sesame")
        found(url)
    assert [key for _, key in seen] == [None, "Bearer sesame"]


def test_thequestion_goes_the_way_of_the_load_past_proxies(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving() as (url, _):
        assert found(url).model == "first-model"


def test_a_server_without_models_is_told_with_a_way_out():
    with serving(paths=()) as (url, _):
        message = refusal(url)
    assert f"GET {url}/v1/models answered 404 Not Found" in message
    assert "--aiperf-model=NAME" in message


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told_as_such_and_not_shown(status, monkeypatch):
    monkeypatch.setenv("AIPERF_API_KEY", "sesame")
    with serving(status=status) as (url, _):
        message = refusal(url)
    assert "AIPERF_API_KEY" in message
    assert "sesame" not in message


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b"\xff\xfe", b"[" * 100_000, MODELS[:20]])
def test_an_answer_that_is_no_json_is_told(body):
    with serving(body) as (url, _):
        assert "did not answer with JSON: is this an OpenAI-compatible server?" in refusal(url)


@pytest.mark.parametrize(
    "body", [b'{"data": []}', b"{}", b"[]", b"null", b'{"data": [{"id": ""}]}', b'{"data": [3]}']
)
def test_an_empty_list_of_models_is_told_with_a_way_out(body):
    with serving(body) as (url, _):
        assert "lists no model; name one with --aiperf-model or model=..." in refusal(url)


def test_a_refused_connection_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    message = refusal(f"http://127.0.0.1:{port}")
    assert (
        f"cannot reach http://127.0.0.1:{port}/v1/models: Connection refused. Is the server running"
        in message
    )


def test_an_unknown_host_is_told():
    assert "cannot reach http://no-such-host.invalid/v1/models: " in refusal("http://no-such-host.invalid")


@pytest.mark.parametrize(
    "words", [b"SSH-2.0-OpenSSH_9.6\r\n", b"", b"\x15\x03\x01\x00\x02\x02\x16", b"HTTP/1.1 200"]
)
def test_a_port_that_speaks_something_else_is_told(words):
    with speaking(words) as url:
        assert url in refusal(url)


def test_an_answer_that_breaks_off_is_told():
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + MODELS[:30]) as url:
        assert url in refusal(url)


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(target, "_ASK_S", 0.1)
    over = threading.Event()
    with serving(before_answer=over.wait) as (url, _):
        message = refusal(url)
        over.set()
    assert "did not answer within" in message or "timed out" in message


def test_a_server_that_drips_its_answer_is_given_up(monkeypatch):
    """Each byte starts the socket's own timeout anew; the question as a whole has a deadline all the same."""
    monkeypatch.setattr(target, "_ASK_S", 0.2)

    def drip(connection):
        with contextlib.suppress(OSError):
            for _ in range(200):
                connection.sendall(b" ")
                time.sleep(0.02)

    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", then=drip) as url:
        assert "did not answer within" in refusal(url)


def over_tls(server):
    """Put the server behind TLS; returns the context, to ask for client certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return context


AUTHORITY = trustme.CA()


def test_a_model_is_asked_for_over_tls_by_whom_the_user_trusts(tmp_path):
    ca_file = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(ca_file))
    with serving(prepare=over_tls) as (url, _):
        https = url.replace("http:", "https:")
        assert found(https, ca_file=str(ca_file)).model == "first-model"
        assert found(https, insecure=True).model == "first-model"
        assert f"the certificate of {https} is not trusted" in refusal(https)


def test_a_server_that_asks_for_a_certificate_gets_the_users(tmp_path):
    client = AUTHORITY.issue_cert("client@example.test")
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"
    client.cert_chain_pems[0].write_to_path(str(certificate))
    client.private_key_pem.write_to_path(str(key))

    def asking(server):
        context = over_tls(server)
        context.verify_mode = ssl.CERT_REQUIRED
        AUTHORITY.configure_trust(context)

    with serving(prepare=asking) as (url, _):
        https = url.replace("http:", "https:")
        own = {"client_certificate": str(certificate), "client_key": str(key)}
        assert found(https, insecure=True, **own).model == "first-model"
        with pytest.raises(EndpointError):
            found(https, insecure=True)


def test_a_model_is_asked_for_through_the_proxy():
    """A plain request to a proxy names the whole URL; nothing listens where it would lead."""
    with serving(paths=("http://server.invalid/v1/models",)) as (proxy, seen):
        assert found("http://server.invalid", proxy=proxy).model == "first-model"
    assert [path for path, _ in seen] == ["http://server.invalid/v1/models"]


def test_a_proxy_of_the_environment_is_used_when_asked_for_and_only_then(monkeypatch):
    with serving(paths=("http://server.invalid/v1/models",)) as (proxy, _):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert found("http://server.invalid", proxy="env").model == "first-model"
        assert "cannot reach http://server.invalid" in refusal("http://server.invalid")


def test_the_users_headers_go_with_thequestion(monkeypatch):
    monkeypatch.setenv("TENANT_KEY", "Bearer from-the-environment")
    with serving() as (url, seen):
        found(url, headers={"Authorization": "$TENANT_KEY"})
    assert seen == [("/v1/models", "Bearer from-the-environment")]
