"""One test, several levels of load: each has a baseline of its own."""

import pytest

pytestmark = pytest.mark.aiperf(isl=64, osl=16, request_count=100)


@pytest.mark.parametrize("concurrency", [4, 16])
def test_chat(aiperf, concurrency):
    result = aiperf.run(concurrency=concurrency)
    assert result.errors == []
    assert result.throughput.avg > 0.1  # requests/s
