"""One look at a page, from servers that behave and from servers that do not: figures or a note, never an exception."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import threading
import time

import pytest
from metrics_pages import page
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from scripted_http import ScriptedServer, answer

from pytest_aiperf.config.endpoint_config import EndpointConfig
from pytest_aiperf.server_metrics.client import Client
from pytest_aiperf.server_metrics.sample import Reason, ServerSample
from pytest_aiperf.server_metrics.scrape import Scraper
from pytest_aiperf.server_metrics.settings import ServerMetricsSettings
from pytest_aiperf.server_metrics.window import window_of

LINE = "vllm:num_requests_running 3\n"


def look(url, *, times=1, base="http://127.0.0.1:1", between=lambda: None, **settings):
    """Look at a page, and return all that came of it."""

    async def looking():
        given = ServerMetricsSettings(bases=(base,), pages=(url,), **({"deadline_s": 20} | settings))
        client = Client.open(given)
        scraper, results = Scraper(client, url), []
        try:
            for _ in range(times):
                results.append(await scraper.scrape())
                between()
        finally:
            await client.close()
        return results

    return asyncio.run(looking())


def look_at(reply, **settings):
    with ScriptedServer(**{"/metrics": reply}) as server:
        return look(server.url + "/metrics", **settings)[0]


def test_a_look_is_stamped_on_the_run_clock():
    before_ns = time.time_ns()
    sample = look_at(answer(LINE))
    assert isinstance(sample, ServerSample)
    assert before_ns <= sample.before_ns <= sample.after_ns <= time.time_ns()
    assert list(sample.values) == [3.0]
    assert sample.server == "vLLM"


def test_a_live_prometheus_client_is_read_as_it_counts():
    """Its own exposition, with a counter that gets its suffix, a histogram and labels."""
    registry = CollectorRegistry()
    running = Gauge("vllm:num_requests_running", "Running.", ["engine"], registry=registry)
    success = Counter("vllm:request_success", "Served.", ["finished_reason"], registry=registry)
    queue = Histogram("vllm:request_queue_time_seconds", "Queue.", buckets=[0.1, 0.2], registry=registry)
    running.labels("0").set(4)
    server, thread = start_http_server(0, "127.0.0.1", registry=registry)

    def serve_some():
        for reason in ("stop", "stop", "length"):
            success.labels(reason).inc()
            queue.observe(0.15)

    try:
        samples = look(f"http://127.0.0.1:{server.server_port}/metrics", times=3, between=serve_some)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    window = window_of(samples, samples[0].after_ns, samples[-1].before_ns)
    assert window.counter("requests_served").delta == 6
    assert window.times("queue_time").mean == pytest.approx(0.15)
    assert (window.times("queue_time").quantiles["p50"].low, window.gauge("requests_running").mean) == (
        0.1,
        4,
    )


def test_open_metrics_is_read_too():
    kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    text = '# TYPE vllm:generation_tokens counter\nvllm:generation_tokens_total{m="x"} 7.0 # {t="1"} 2.0\n# EOF\n'
    assert list(look_at(answer(text, content_type=kind)).values) == [7.0]
    cut = look_at(answer(text.removesuffix("# EOF\n"), content_type=kind))
    assert cut.reason is Reason.CUT_SHORT


@pytest.mark.parametrize("content_type", [None, "text/plain", "TEXT/PLAIN;charset=utf-8"])
def test_the_usual_types_are_read(content_type):
    assert isinstance(look_at(answer(LINE, content_type=content_type)), ServerSample)


def test_all_six_recorded_pages_are_read_over_a_socket():
    for name in ("vllm", "sglang", "tgi", "llama_cpp", "tensorrt_llm", "triton"):
        assert look_at(answer(page(name))).server is not None


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
HOSTILE = {
    "half a page of a told length": (answer(LINE, length=9_999), Reason.CUT_SHORT, "ended before its end"),
    "half a page of chunks": (
        CHUNKED + b"1c\r\n" + LINE.encode() + b"\r\n",
        Reason.CUT_SHORT,
        "before its end",
    ),
    "half a line": (
        answer(LINE + "vllm:num_requests_wai", length=False),
        Reason.CUT_SHORT,
        "middle of a line",
    ),
    "HTML": (answer("<html>", content_type="text/html"), Reason.CONTENT_TYPE, "'text/html'"),
    "HTML that says it is text": (answer("<html>"), Reason.NOT_METRICS, "first line is no sample"),
    "JSON": (answer("[]", content_type="application/json"), Reason.CONTENT_TYPE, "`/prometheus/metrics`"),
    "protobuf": (
        answer(b"\x0a\x08", content_type="application/vnd.google.protobuf"),
        Reason.CONTENT_TYPE,
        "google.protobuf",
    ),
    "garbage": (answer(bytes(range(1, 256))), Reason.NOT_METRICS, "not UTF-8"),
    "garbage that is text": (answer("\x01\x02 1\n"), Reason.NOT_METRICS, "no sample"),
    "a broken figure": (answer(LINE + "vllm:num_requests_waiting ?\n"), Reason.NOT_METRICS, "cannot be read"),
    "packed": (
        answer(gzip.compress(LINE.encode()), Content_Encoding="gzip"),
        Reason.CONTENT_TYPE,
        r"is packed \(gzip\)",
    ),
    "not there": (answer("", status="404 Not Found"), Reason.STATUS, "`--enable-metrics`"),
    "not switched on": (answer("", status="501 Not Implemented"), Reason.STATUS, "with `--metrics`"),
    "a server that fails": (answer("", status="500 Oh"), Reason.STATUS, "answers 500"),
    "a key is wanted": (answer("", status="401 No"), Reason.STATUS, "AIPERF_API_KEY"),
    "a redirect": (
        answer("", status="302 Found", Location="http://127.0.0.1:1/"),
        Reason.REDIRECT,
        "302.*name the page itself",
    ),
    "a redirect to itself": (answer("", status="301 Moved", Location="/metrics"), Reason.REDIRECT, "301"),
    "no HTTP": (b"\x16\x03\x01 hello\r\n\r\n", Reason.UNREACHABLE, "cannot be read"),
    "nothing": (b"", Reason.UNREACHABLE, "cannot be read"),
    "a huge header": (
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        Reason.UNREACHABLE,
        "cannot be read",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_page_is_a_note(case):
    reply, reason, words = HOSTILE[case]
    with ScriptedServer(**{"/metrics": reply}) as server:
        (note,) = look(server.url + "/metrics")
        asked = len(server.asked)
    assert note.reason is reason
    assert note.text.startswith(f"{server.url}/metrics ")
    assert re.search(words, note.text)
    assert len(note.text) < 900
    assert asked <= 2  # a closed connection may be tried once more; a redirect is not followed


def test_a_stalled_exporter_is_left_at_the_deadline():
    note = look_at(None, deadline_s=0.2)
    assert note.reason is Reason.TIMEOUT
    assert "was not there within 0.2 s" in note.text


def test_a_page_that_drips_is_left_at_the_deadline_too():
    """Each byte comes soon enough; the page does not."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 999\r\n\r\n"
                )
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b"#")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        (note,) = look(f"http://127.0.0.1:{listener.getsockname()[1]}/metrics", deadline_s=0.3)
        stop.set()
        thread.join()
    assert note.reason is Reason.TIMEOUT


def test_nobody_who_listens_is_a_note():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/metrics"
    (note,) = look(url)
    assert note.reason is Reason.UNREACHABLE


FIFTY_MB = 50 * 1024 * 1024


def test_fifty_megabytes_that_are_told_are_not_read():
    """The rest never comes: it is not waited for."""
    note = look_at(answer(LINE, length=FIFTY_MB))
    assert note.reason is Reason.TOO_LARGE
    assert "has 52,428,800 bytes; at most 8,388,608 are read" in note.text


def test_fifty_megabytes_that_are_not_told_are_left_at_the_limit():
    note = look_at(answer(b"# comment\n" * (FIFTY_MB // 10), length=False))
    assert note.reason is Reason.TOO_LARGE
    assert "more than 8,388,608 bytes" in note.text


def test_the_key_goes_to_the_server_under_test_and_to_nobody_else(monkeypatch):
    """G4: a page of another host or port gets neither key nor headers."""
    monkeypatch.setenv("AIPERF_API_KEY", "sk-0123456789abcdef")
    monkeypatch.setenv("TENANT", "our-tenant")
    with (
        ScriptedServer(**{"/metrics": answer(LINE)}) as ours,
        ScriptedServer(**{"/metrics": answer(LINE)}) as other,
    ):
        headers = {"X-Tenant-Key": "$TENANT"}
        look(ours.url + "/metrics", base=ours.url, headers=headers)
        look(other.url + "/metrics", base=ours.url, headers=headers)
    sent = ours.asked[0][1]
    assert (sent["authorization"], sent["x-tenant-key"]) == ("Bearer sk-0123456789abcdef", "our-tenant")
    assert not other.asked[0][1].keys() & {"authorization", "x-tenant-key"}


def test_a_server_that_quotes_the_key_does_not_get_it_into_a_note(monkeypatch):
    """G4."""
    monkeypatch.setenv("AIPERF_API_KEY", "sk-0123456789abcdef")
    note = look_at(answer("sk-0123456789abcdef is no key of ours\n"))
    assert "0123456789" not in note.text


def test_a_query_is_sent_and_not_shown():
    with ScriptedServer(**{"/metrics?model=m": answer(LINE)}) as server:
        (sample,) = look(server.url + "/metrics?model=m")
    assert sample.url == server.url + "/metrics"


@pytest.mark.parametrize(
    "url", ["http://host:8000", "http://host:8000/v1", "http://host:8000/v1/chat/completions"]
)
def test_the_page_of_an_endpoint_is_beside_its_api(url):
    settings = ServerMetricsSettings.of_endpoint(EndpointConfig(url=url, further_urls=("http://b/v1",)))
    assert settings.pages == ("http://host:8000/metrics", "http://b/metrics")
    assert settings.bases == ("http://host:8000", "http://b")


def test_named_pages_replace_it():
    settings = ServerMetricsSettings.of_endpoint(
        EndpointConfig(url="http://host:8000"), ("http://host:8002/metrics",), interval_s=0.5
    )
    assert settings.pages == ("http://host:8002/metrics",)
    assert not settings.may_have_key("http://host:8002/metrics")
    assert settings.interval_s == 0.5


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/metrics", "is not an http:// or https:// URL"),
        ("host:8000/metrics", "is not an http:// or https:// URL"),
        ("http://user:secret@host/metrics", "holds credentials"),
        ("http://host:99999/metrics", "[Pp]ort"),
    ],
)
def test_a_url_that_cannot_be_a_page_is_refused(url, words):
    with pytest.raises(ValueError, match=words) as told:
        ServerMetricsSettings(bases=(), pages=(url,))
    assert "secret@" not in str(told.value).partition("[type=")[0]


def test_pages_that_differ_in_their_query_only_are_refused():
    """The query may hold a key and is not kept, so their figures would be taken for those of one server."""
    pages = ("http://host/metrics?model=a", "http://host/metrics?model=b")
    with pytest.raises(ValueError, match="given twice with different queries"):
        ServerMetricsSettings(bases=(), pages=pages)
    assert ServerMetricsSettings(bases=(), pages=pages[:1] * 2).pages == pages[:1]
