"""Requests at a given rate, whether the server keeps up or not, and how many of them were answered in time."""

import pytest


@pytest.mark.aiperf(request_rate=20, isl=32, osl=8, request_count=40, goodput="ttft:500 latency:2000")
def test_twenty_requests_a_second(aiperf):
    result = aiperf.run()
    assert result.good_request_fraction.avg > 0.9  # answered within both limits, of those that were sent
    assert result.effective_latency.p95 < 5_000  # ms, from the moment at which a request was due
