"""A first performance test: a load, an absolute limit, and everything else judged against the stored baseline."""

import pytest


@pytest.mark.aiperf(concurrency=8, isl=128, osl=32, request_count=200)
def test_chat(aiperf):
    result = aiperf.run()  # fails when it got slower than the baseline, by more than noise
    assert result.ttft.p95 < 2_000  # ms
