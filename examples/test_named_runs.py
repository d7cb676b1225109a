"""Several measurements in one test: each has a name, and a baseline of its own."""

import pytest


@pytest.mark.aiperf(concurrency=4, osl=16, request_count=40, tolerance={"ttft.p50": "10% or 5ms"})
def test_prompt_lengths(aiperf):
    short = aiperf.run("short", isl=16)
    long = aiperf.run("long", isl=128)
    assert long.ttft.p50 < 10 * short.ttft.p50
