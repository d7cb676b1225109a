"""Other APIs than chat, measured by the same means: vectors, which have no first token, and completions."""

import pytest


@pytest.mark.aiperf(endpoint_type="embeddings", concurrency=4, isl=32, request_count=60)
def test_vectors(aiperf_result):
    assert aiperf_result.latency.p50 < 5_000  # ms
    assert aiperf_result.throughput.avg > 0.1  # requests/s


@pytest.mark.aiperf(endpoint_type="completions", concurrency=4, isl=32, osl=16, request_count=60)
def test_completions(aiperf_result):
    assert aiperf_result.ttft.p95 < 5_000  # ms
