"""The instrument against the truth: the embedded server logs when it sent each token."""

from statistics import median

import pytest


@pytest.fixture(scope="module")
def server(aiperf_mock_server):
    return aiperf_mock_server(ttft_ms=20, itl_ms=2)


@pytest.fixture(scope="module")
def aiperf_endpoint(server):
    return server.url


@pytest.mark.aiperf(concurrency=4, osl=16, request_count=60, judge=False)
def test_reported_times_are_the_sent_times(aiperf, server):
    result = aiperf.run()
    answers = [r for r in server.log()["requests"] if r["outcome"] == "ok"]
    ttft_ms = median((r["sent_ns"][0] - r["t_recv_ns"]) / 1e6 for r in answers)
    itl_ms = median((r["sent_ns"][-1] - r["sent_ns"][0]) / (len(r["sent_ns"]) - 1) / 1e6 for r in answers)
    assert result.ttft.p50 == pytest.approx(ttft_ms, rel=0.1)
    assert result.itl.p50 == pytest.approx(itl_ms, rel=0.05)
