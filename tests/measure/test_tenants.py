"""Requests of others, found by the server's own counters, over real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hand_made import batch_of, closed_loop, config_of

from pytest_aiperf.common.records import ABSENT
from pytest_aiperf.measure import tenants
from pytest_aiperf.measure.tenants import TenantWatch, parse_counters

VLLM = """\
# HELP vllm:request_success_total Count of successfully processed requests.
# TYPE vllm:request_success_total counter
vllm:request_success_total{{engine="0",finished_reason="stop",model_name="m"}} {stopped}
vllm:request_success_total{{engine="0",finished_reason="length",model_name="m"}} {served}.0
vllm:request_success_created{{engine="0",finished_reason="stop",model_name="m"}} 1.7e+09
vllm:e2e_request_latency_seconds_bucket{{le="0.3"}} 12
process_start_time_seconds {started}
"""


class CountingServer:
    """Answers POST, counts them, and tells the count at /metrics in the words of `page`."""

    def __init__(self, page=VLLM, *, status=200):
        self.served, self.stopped, self.started, self.page, self.status = 0, 7, 1.7e9, page, status
        self.asked, self.accepted = [], []
        counting = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                counting.asked.append((self.path, self.headers.get("Authorization")))
                counting.accepted.append(self.headers.get("Accept"))
                text = counting.text().encode()
                self.send_response(counting.status if self.path == "/metrics" else 404)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_POST(self):
                counting.served += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def text(self):
        return self.page.format(served=self.served, stopped=self.stopped, started=self.started)

    def serve(self, requests):
        """Serve so many requests, sent one after another."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(requests):
            with opener.open(f"{self.url}/v1/chat/completions", data=b"{}", timeout=10):
                pass

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def ours(requests, *, tokens=4):
    return batch_of(**(closed_loop(requests) | {"output_tokens": tokens}))


def watching(*servers, suffix="", **sections):
    first, *further = (server.url + suffix for server in servers)
    config = config_of(endpoint={"url": first, "further_urls": tuple(further), "model": "m"}, **sections)
    watch = TenantWatch(config=config)
    watch.begin()
    return watch


def test_requests_that_are_not_ours_are_told():
    with CountingServer() as server:
        server.serve(3)  # long before
        watch = watching(server)
        server.serve(50)
        watch.sent(ours(20))
        watch.sent(ours(20))
        (check,) = watch.check()
    assert not check.ok
    assert check.fatal
    assert check.value == pytest.approx(10 / 40)
    assert "served 10 requests more than the 40 of this measurement: somebody else uses it" in check.advice


@pytest.mark.parametrize("served", [38, 40])
def test_a_server_that_served_us_alone_is_quiet(served):
    """Fewer were counted than sent where some failed."""
    with CountingServer() as server:
        watch = watching(server)
        server.serve(served)
        watch.sent(ours(40))
        (check,) = watch.check()
    assert check.ok
    assert check.value == 0


def test_a_few_requests_of_others_are_within_the_limit_that_can_be_given():
    with CountingServer() as server:
        watch = watching(server, verdict={"validity": {"other_tenants": 0.3}})
        server.serve(12)
        watch.sent(ours(10))
        assert next(watch.check()).ok


@pytest.mark.parametrize("suffix", ["", "/v1", "/v1/chat/completions"])
def test_the_counters_are_beside_the_api_however_the_url_was_given(suffix):
    with CountingServer() as server:
        watching(server, suffix=suffix)
    assert [path for path, _ in server.asked] == ["/metrics"]


def test_the_text_format_is_asked_for():
    """Where they may, some servers answer in another one."""
    with CountingServer() as server:
        watching(server)
    assert server.accepted == ["text/plain; version=0.0.4"]


def test_the_api_key_goes_along(monkeypatch):
    monkeypatch.setenv("AIPERF_API_KEY", "sesame")
    with CountingServer() as server:
        watching(server)
    assert server.asked == [("/metrics", "Bearer sesame")]


@pytest.mark.parametrize("status", [404, 401, 500])
def test_a_server_without_counters_is_not_asked_about(status):
    with CountingServer(status=status) as server:
        watch = watching(server)
        server.serve(9)
        watch.sent(ours(1))
        assert list(watch.check()) == []


@pytest.mark.parametrize(
    "page",
    ["", "<html>hello</html>", "python_gc_objects_collected_total 3\n", "vllm:request_success_total x\n"],
)
def test_a_page_that_says_nothing_known_is_not_asked_about(page):
    with CountingServer(page) as server:
        watch = watching(server)
        watch.sent(ours(1))
        assert list(watch.check()) == []


def test_a_server_that_is_gone_is_not_asked_about():
    with CountingServer() as server:
        watch = watching(server)
    watch.sent(ours(1))
    assert list(watch.check()) == []


def test_a_restarted_server_counts_anew():
    with CountingServer() as server:
        server.serve(5)
        watch = watching(server)
        server.started += 60
        server.serve(20)
        watch.sent(ours(1))
        assert list(watch.check()) == []


def test_counters_that_fell_are_those_of_another_process():
    page = VLLM.replace("process_start_time_seconds {started}\n", "")
    with CountingServer(page) as server:
        server.serve(5)
        watch = watching(server)
        server.served = 2
        watch.sent(ours(1))
        assert list(watch.check()) == []


def test_several_servers_are_counted_together():
    with CountingServer() as one, CountingServer() as other:
        watch = watching(one, other)
        one.serve(12)
        other.serve(10)
        watch.sent(ours(20))
        (check,) = watch.check()
    assert check.value == pytest.approx(2 / 20)


def test_a_second_session_begins_anew():
    with CountingServer() as server:
        watch = watching(server)
        server.serve(40)
        watch.sent(ours(40))
        assert next(watch.check()).ok
        watch.begin()
        server.serve(30)
        watch.sent(ours(10))
        assert next(watch.check()).value == pytest.approx(2.0)


def test_servers_of_which_one_does_not_count_are_not_asked_about():
    """Which of ours went to the other one nobody knows."""
    with CountingServer() as one, CountingServer(status=404) as other:
        watch = watching(one, other)
        one.serve(30)
        watch.sent(ours(20))
        assert list(watch.check()) == []


def test_where_only_tokens_are_counted_tokens_are_compared():
    page = "llamacpp:tokens_predicted_total {served}\nllamacpp:requests_processing 1\n"
    with CountingServer(page) as server:
        watch = watching(server)
        server.served = 100
        watch.sent(ours(20, tokens=4))
        (check,) = watch.check()
        assert check.value == pytest.approx(20 / 80)
        assert "served 20 tokens more" in check.advice
        watch.sent(ours(1, tokens=ABSENT))  # how many tokens that was nobody knows
        assert list(watch.check()) == []


@pytest.mark.parametrize(
    ("page", "unit", "grown"),
    [
        ('vllm:request_success_total{{finished_reason="stop"}} {n}\n', "requests", 10),
        ('sglang:num_requests_total{{model_name="a"}} {n}\n', "requests", 10),
        (
            'tgi_request_success{{kind="single"}} {n}\ntgi_request_success{{kind="batch"}} {n}\n',
            "requests",
            20,
        ),
        ("llamacpp:tokens_predicted_total {n}\n", "tokens", 10),
        # A pipeline: one request counts for each of its models.
        (
            'nv_inference_request_success{{model="whole",version="1"}} {n}\n'
            'nv_inference_request_success{{model="part",version="1"}} {n}\n',
            "requests",
            10,
        ),
    ],
)
def test_the_counters_of_common_servers_are_known(page, unit, grown):
    before, after = parse_counters(page.format(n=5)), parse_counters(page.format(n=15.0))
    assert before.growth(after) == (unit, grown)


def test_a_counter_that_appears_with_its_first_request_began_at_zero():
    """Labelled counters are not exported before they were used once."""
    before = parse_counters('vllm:request_success_total{finished_reason="stop"} 1\n')
    after = parse_counters(
        'vllm:request_success_total{finished_reason="stop"} 1\n'
        'vllm:request_success_total{finished_reason="length"} 4\n'
    )
    assert before.growth(after) == ("requests", 4)


@contextlib.contextmanager
def silent():
    """A server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(tenants, "_ASK_S", 0.1)
    with silent() as url:
        watch = TenantWatch(config=config_of(endpoint={"url": url, "model": "m"}))
        watch.begin()
        watch.sent(ours(1))
        assert list(watch.check()) == []


def test_a_page_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(tenants, "_MAX_BYTES", 1000)
    with CountingServer(VLLM + "# padding\n" * 1000) as server:
        watch = watching(server)
        watch.sent(ours(1))
        assert list(watch.check()) == []
