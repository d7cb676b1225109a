"""https: the same records as over http, the kernel's stamps, and a word of advice for whatever is wrong."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from scripted_server import (
    STORY,
    STREAM_HEAD,
    answering,
    chunk,
    head,
    pieces,
    stream,
    then_close,
    token,
    whole,
)
from tls_server import Authority, Records, https, over_tls

from pytest_aiperf.common.errors import ConfigurationError, EndpointError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.engine import connection as engine_connection

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kernel stamps are Linux's")
FIRST = STREAM_HEAD + chunk(token("a"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def load_tls(load, authority):
    """`load` over https, with the authority trusted."""

    def load_tls(server, *args, **fields):
        return load(https(server), *args, **({"ca_file": authority.ca_file} | fields))

    return load_tls


@pytest.fixture
def serve_tls(serve, authority):
    return lambda script, **kw: serve(over_tls(authority.server(), script), **kw)


@pytest.mark.parametrize("tls", ["TLSv1_2", "TLSv1_3"])
def test_an_https_run_has_the_same_records_as_an_http_run(load, load_tls, serve, authority, tls):
    script = answering(stream(STORY))
    plain = load(serve(script), requests=12, concurrency=3)
    server = serve(over_tls(authority.server(tls=tls), script))
    batch = load_tls(server, requests=12, concurrency=3)
    assert (batch.outcome == Outcome.OK).all()
    for column in ("status", "input_tokens", "output_tokens", "coalesced", "received_bytes", "sent_bytes"):
        assert getattr(batch, column).tolist() == getattr(plain, column).tolist()
    assert batch.content_count().tolist() == plain.content_count().tolist()
    assert (
        np.diff([batch.t0, batch.t_sent, batch.t_hdr, batch.content_at(0), batch.t_end], axis=0) >= 0
    ).all()


def test_session_tickets_that_arrive_while_idle_do_not_cost_the_connection(load_tls, serve_tls):
    server = serve_tls(answering(stream(STORY)))
    batch = load_tls(server, requests=40, concurrency=2)
    assert (server.connections, batch.facts.reopened) == (2, 0)


def test_handshakes_are_done_before_the_first_request_leaves(load_tls, serve_tls):
    batch = load_tls(serve_tls(answering(stream(STORY))), requests=8, concurrency=4)
    assert (batch.connecting_ns == 0).all()


def test_http_1_1_is_what_is_agreed_on(load_tls, serve_tls):
    agreed = []

    def script(wire):
        agreed.append((wire.sock.selected_alpn_protocol(), wire.sock.version()))
        answering(stream(STORY))(wire)

    load_tls(serve_tls(script))
    assert agreed == [("http/1.1", "TLSv1.3")]


def test_an_ipv6_address_is_verified_against_its_certificate(load_tls, serve_tls):
    server = serve_tls(answering(stream(STORY)), family=socket.AF_INET6)
    assert load_tls(server).outcome.tolist() == [Outcome.OK]
    assert server.url.startswith("http://[::1]:")


def test_a_large_request_and_a_large_answer_pass_whole(load_tls, serve_tls):
    text = "b" * 700
    server = serve_tls(answering(stream([token(text)] * 800 + STORY)))
    body = bytes(range(256)) * 20_000
    batch = load_tls(server, bodies=[body, body])
    assert [r.body for r in server.requests] == [body, body]
    assert batch.content_count().tolist() == [803, 803]
    assert (batch.t_sent > batch.t0).all()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_answers_cut_into_many_small_records_and_reads_are_read(load_tls, serve_tls, size):
    def script(wire):
        wire.request()
        for piece in pieces(stream(STORY), size):
            wire.send(piece)

    assert load_tls(serve_tls(script)).content_count().tolist() == [3]


# Stamps.


@linux
def test_the_kernel_takes_all_stamps_under_tls_too(load_tls, serve_tls):
    batch = load_tls(serve_tls(answering(stream(STORY))), requests=20, concurrency=2)
    assert batch.facts.timestamps == "kernel"


@linux
def test_a_busy_reader_does_not_shift_the_stamps_under_tls(load_tls, serve_tls, monkeypatch):
    sent = []

    def script(wire):
        while wire.request() is not None:
            sent.append(time.time_ns())
            wire.send(stream(STORY))

    readable = engine_connection.Connection._on_readable

    def late(self):
        time.sleep(0.03)
        readable(self)

    monkeypatch.setattr(engine_connection.Connection, "_on_readable", late)
    batch = load_tls(serve_tls(script), requests=5)
    lateness = batch.content_at(0) + batch.facts.start_ns - np.array(sent)
    assert (lateness >= 0).all()
    assert np.median(lateness) < 20_000_000


@linux
def test_decrypted_bytes_carry_the_stamp_of_the_read_that_completed_their_record(load_tls, serve, authority):
    completed = []

    def script(wire):
        tls = Records(authority.server(), wire)
        tls.read()
        wire.send(tls.record(STREAM_HEAD))
        record = tls.record(chunk(token("a")))
        wire.send(record[:50])
        time.sleep(0.05)
        completed.append(time.time_ns())
        wire.send(record[50:] + tls.record(chunk(token("b"))))  # the rest of one, and another, in one read
        wire.send(tls.record(stream(STORY)[len(STREAM_HEAD) :]))
        wire.hold()

    batch = load_tls(serve(script))
    first, second = batch.content_ns[:2] + batch.facts.start_ns
    assert first == second >= completed[0]
    assert batch.outcome.tolist() == [Outcome.OK]


# Trust.


def test_a_certificate_of_an_unknown_authority_is_refused_with_advice(load, serve_tls):
    server = serve_tls(answering(stream(STORY)))
    with pytest.raises(EndpointError) as raised:
        load(https(server))
    for part in (f"https://127.0.0.1:{server.port}", "--aiperf-ca-file", "--aiperf-insecure", "local issuer"):
        assert part in str(raised.value)
    assert not server.requests


def test_a_certificate_of_another_host_is_refused(load_tls, serve, authority):
    server = serve(over_tls(authority.server("elsewhere.test"), answering(stream(STORY))))
    with pytest.raises(EndpointError, match=r"not valid for '127\.0\.0\.1'"):
        load_tls(server)


def test_an_expired_certificate_is_refused(load_tls, serve, authority):
    server = serve(over_tls(authority.server(days=-1), answering(stream(STORY))))
    with pytest.raises(EndpointError, match="expired"):
        load_tls(server)


@pytest.mark.parametrize("wrong", [{"names": ("elsewhere.test",)}, {"names": (), "days": -1}])
def test_insecure_accepts_any_certificate(load, serve, authority, wrong):
    server = serve(
        over_tls(authority.server(*wrong["names"], days=wrong.get("days", 1)), answering(stream(STORY)))
    )
    assert load(https(server), insecure=True).outcome.tolist() == [Outcome.OK]


def test_a_server_that_wants_a_client_certificate_gets_it(load_tls, serve, authority):
    server = serve(over_tls(authority.server(client_certificates=True), answering(stream(STORY))))
    certificate, key = authority.client()
    batch = load_tls(server, requests=4, concurrency=2, client_certificate=certificate, client_key=key)
    assert (batch.outcome == Outcome.OK).all()


@pytest.mark.parametrize("tls", ["TLSv1_2", "TLSv1_3"])
def test_without_the_client_certificate_that_a_server_wants_the_option_is_named(
    load_tls, serve, authority, tls
):
    """In TLS 1.3 the refusal comes after the handshake, so it is an answer that fails, not the connection."""
    context = authority.server(client_certificates=True, tls=tls)
    server = serve(over_tls(context, answering(stream(STORY))))
    try:
        message = load_tls(server).errors[0].message
    except EndpointError as error:
        message = str(error)
    assert "--aiperf-client-certificate" in message
    assert not server.requests


def broken_files(authority, tmp_path):
    certificate, key = authority.client()
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    other = Authority(tmp_path).client()[1]
    missing = str(tmp_path / "missing.pem")
    return {
        "no such authority": ({"ca_file": missing}, "No such file"),
        "no authority in it": ({"ca_file": str(text)}, "no certificate in PEM form"),
        "no such certificate": ({"client_certificate": missing}, "does not exist"),
        "no such key": ({"client_certificate": certificate, "client_key": missing}, "does not exist"),
        "no key in it": ({"client_certificate": certificate}, "the key that belongs to it"),
        "another one's key": ({"client_certificate": certificate, "client_key": other}, "belongs to it"),
        "key alone": ({"client_key": key}, "without a client_certificate"),
    }


@pytest.mark.parametrize(
    "what",
    [
        "no such authority",
        "no authority in it",
        "no such certificate",
        "no such key",
        "no key in it",
        "another one's key",
        "key alone",
    ],
)
def test_certificate_files_that_cannot_be_used_are_configuration_errors(
    load, serve, authority, tmp_path, what
):
    fields, words = broken_files(authority, tmp_path)[what]
    server = serve(answering(b""))
    with pytest.raises(ConfigurationError, match=words):
        load(https(server), **fields)
    assert server.connections == 0


def test_an_encrypted_key_is_refused_and_not_asked_for_on_the_terminal(load, authority, tmp_path):
    certificate, _ = authority.client()
    key = tmp_path / "locked.key"
    key.write_text(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
    )
    with pytest.raises(ConfigurationError, match="encrypted; give one without a passphrase"):
        load("https://127.0.0.1:1/", client_certificate=certificate, client_key=str(key))


# The wrong protocol.


def test_an_http_server_behind_an_https_url_is_told_by_its_answer(load_tls, serve):
    def script(wire):
        wire.sock.recv(1000)
        wire.send(whole(b"what?", "400 Bad Request"))

    server = serve(script)
    with pytest.raises(
        EndpointError, match=rf"does not speak TLS.*HTTP/1\.1 400.*http://127\.0\.0\.1:{server.port}"
    ):
        load_tls(server)


def test_a_server_that_hangs_up_on_a_tls_greeting_is_asked_whether_it_speaks_tls(load_tls, serve):
    with pytest.raises(
        EndpointError, match="closed the connection during the TLS handshake; does it speak TLS"
    ):
        load_tls(serve(lambda wire: wire.sock.recv(1000)))


def test_a_server_that_is_silent_after_a_tls_greeting_is_given_up_in_time(load_tls, serve):
    with pytest.raises(EndpointError, match=r"no TLS greeting .*does it speak TLS there\?.* within 0\.2 s"):
        load_tls(serve(lambda wire: wire.hold()), connect_timeout_s=0.2)


def test_an_https_server_behind_an_http_url_is_told_by_its_alert(load, serve, authority):
    def script(wire):
        wire.sock.recv(1000)
        wire.send(b"\x15\x03\x01\x00\x02\x02\x46")  # alert: protocol version

    batch = load(serve(script))
    assert (batch.errors[0].type, "speaks TLS" in batch.errors[0].message) == ("protocol", True)
    assert "https://" in batch.errors[0].message


def test_an_https_server_that_hangs_up_on_plain_http_makes_one_think_of_https(load, serve_tls):
    batch = load(serve_tls(answering(stream(STORY))))
    assert "https" in batch.errors[0].message


# Ends.


def sign_off(wire):
    """Send close_notify, then close."""
    try:
        wire.sock.unwrap()
    except OSError:
        pass  # the client hung up before it said so too


def test_a_close_notify_in_the_middle_is_truncated(load_tls, serve_tls):
    def script(wire):
        wire.request()
        wire.send(FIRST)
        sign_off(wire)

    batch = load_tls(serve_tls(script))
    assert (batch.outcome[0], batch.errors[0].type) == (Outcome.TRUNCATED, "truncated")
    assert batch.content_count().tolist() == [1]


def test_an_end_of_file_without_close_notify_in_the_middle_is_truncated(load_tls, serve_tls):
    batch = load_tls(serve_tls(then_close(FIRST)))
    assert (batch.outcome[0], batch.errors[0].type) == (Outcome.TRUNCATED, "truncated")


@pytest.mark.parametrize("signed_off", [True, False])
def test_an_answer_that_ends_with_the_connection_is_complete_only_with_close_notify(
    load_tls, serve_tls, signed_off
):
    def script(wire):
        wire.request()
        wire.send(head(content_type="text/event-stream", connection="close") + b"".join(STORY))
        if signed_off:
            sign_off(wire)

    batch = load_tls(serve_tls(script))
    assert batch.content_count().tolist() == [3]
    assert batch.outcome.tolist() == [Outcome.OK if signed_off else Outcome.TRUNCATED]
    if not signed_off:
        assert "close_notify" in batch.errors[0].message


def test_a_reset_in_the_middle_is_a_reset_under_tls_too(load_tls, serve, authority):
    def script(wire):
        tls = Records(authority.server(), wire)
        tls.read()
        wire.send(tls.record(STREAM_HEAD))
        wire.reset()

    batch = load_tls(serve(script))
    assert (batch.outcome[0], batch.errors[0].type) == (Outcome.ERROR, "reset")


def test_a_fatal_alert_in_the_middle_is_named(load_tls, serve, authority):
    def script(wire):
        tls = Records(authority.server(), wire)
        tls.read()
        wire.send(tls.record(FIRST) + tls.fatal_alert())
        wire.hold()

    batch = load_tls(serve(script))
    assert (batch.outcome[0], batch.errors[0].type) == (Outcome.ERROR, "reset")
    assert "in the middle of its answer: alert bad record mac" in batch.errors[0].message
    assert batch.content_count().tolist() == [1]


def test_nonsense_in_the_middle_is_no_valid_tls(load_tls, serve, authority):
    def script(wire):
        tls = Records(authority.server(), wire)
        tls.read()
        wire.send(tls.record(FIRST) + b"\x17\x03\x03\x00\x20" + 32 * b"x")
        wire.hold()

    batch = load_tls(serve(script))
    assert (batch.errors[0].type, "not valid TLS" in batch.errors[0].message) == ("protocol", True)
    assert batch.content_count().tolist() == [1]


@pytest.mark.parametrize("farewell", [sign_off, lambda wire: None])
def test_an_idle_tls_connection_that_the_server_closed_is_reopened(load_tls, serve_tls, farewell):
    def script(wire):
        wire.request()
        wire.send(stream(STORY))
        farewell(wire)

    server = serve_tls(script)
    batch = load_tls(server, requests=6)
    assert (batch.outcome == Outcome.OK).all()
    assert (batch.facts.reopened, server.connections) == (5, 6)
    assert (batch.connecting_ns[1:] > 0).all()


def test_connections_are_left_with_close_notify(load_tls, serve_tls):
    ends = []

    def script(wire):
        try:
            answering(stream(STORY))(wire)
            ends.append("signed off")
        except OSError as error:
            ends.append(error)
            raise

    with_end = serve_tls(script)
    load_tls(with_end, requests=4, concurrency=2)
    with_end.__exit__()
    assert ends == ["signed off"] * 2


def test_a_connection_whose_handshake_stands_still_in_the_run_times_out(load_tls, serve, authority):
    def script(wire):
        if wire.number == 0:
            over_tls(authority.server(), then_close(stream(STORY)))(wire)
        else:
            wire.hold()

    batch = load_tls(serve(script), requests=2, connect_timeout_s=0.2)
    assert batch.outcome.tolist() == [Outcome.OK, Outcome.ERROR]
    assert batch.errors[0].type == "timeout"
    assert (batch.t_sent[1], batch.connecting_ns[1]) == (-1, 0)


def test_http_runs_do_not_load_what_https_takes(serve):
    server = serve(answering(stream(STORY)))
    code = (
        "import sys\n"
        "from pytest_aiperf.engine import LoadPlan, run_load\n"
        "from pytest_aiperf.engine.loop import run\n"
        f"run(run_load(LoadPlan(url={server.url!r}, bodies=[b'x'], concurrency=1)))\n"
        "print([m for m in sys.modules if m.startswith('pytest_aiperf.engine.tls')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
