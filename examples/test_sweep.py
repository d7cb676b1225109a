"""One option at several values, and a statement about all of them: does the throughput hold when the load grows?"""

import pytest


@pytest.mark.aiperf(isl=64, osl=16, request_count=60)
def test_throughput_holds(aiperf):
    results = aiperf.sweep(concurrency=[1, 4, 16])  # each value has a baseline of its own
    for concurrency, result in results.items():
        print(f"{concurrency} in flight: {result.throughput.avg:.1f}/s, ttft {result.ttft.p50:.0f} ms")
    assert results[16].throughput.avg > 0.8 * results[1].throughput.avg
