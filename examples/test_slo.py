"""Limits that hold whatever the baseline says: in the marker for all tests of the file, nearer ones for some."""

import pytest

# ms, at most
pytestmark = pytest.mark.aiperf(osl=16, request_count=60, slo={"ttft.p95": 2_000, "itl.p50": 500})


@pytest.mark.aiperf(concurrency=2)
def test_a_few_users(aiperf):
    aiperf.run()  # fails with SloMissed, and the figure, when a limit is not kept


@pytest.mark.aiperf(concurrency=8, slo={"ttft.p95": 5_000, "throughput": 0.1})  # requests/s, at least
def test_many_users(aiperf):
    aiperf.run()


@pytest.mark.aiperf(concurrency=2, judge=False)
def test_limits_alone(aiperf):
    result = aiperf.run()  # no baseline is needed or kept
    assert result.latency.max < 30_000  # ms: a limit of one test is a plain assertion
