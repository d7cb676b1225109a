"""Answers that are not streamed: there is no time to first token, so the latency's median is judged."""

import pytest


@pytest.mark.aiperf(concurrency=4, osl=16, request_count=60, streaming=False, tolerance={"latency.p50": "8%"})
def test_batch(aiperf_result):
    assert aiperf_result.latency.p50 < 5_000  # ms
