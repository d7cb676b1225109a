"""Run with `pytest -n 2 one_server`: two workers, one server; measurements take turns."""

import pytest


@pytest.mark.parametrize("concurrency", [2, 4])
@pytest.mark.aiperf(osl=16, request_count=60)
def test_loads(aiperf, concurrency):
    result = aiperf.run(concurrency=concurrency)
    assert result.ttft.p95 < 2_000  # ms
