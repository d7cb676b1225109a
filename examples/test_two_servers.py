"""Is the new version slower than the old one? Both are measured now, their runs in turn; no baseline is stored.

Here both are embedded servers; put the URLs of your own in their place. For a whole session of tests there is
`pytest --aiperf-endpoint=NEW --aiperf-against=OLD`.
"""

import pytest


@pytest.fixture
def aiperf_endpoint(aiperf_mock_server):
    return aiperf_mock_server(ttft_ms=20, itl_ms=2)  # the new version


@pytest.fixture
def old_version(aiperf_mock_server):
    return aiperf_mock_server(ttft_ms=20, itl_ms=2)


@pytest.mark.aiperf(concurrency=4, isl=64, osl=16, request_count=60)
def test_new_version_is_not_slower(aiperf, old_version):
    # Fails when it is slower by more than 5 % and more than noise.
    result = aiperf.run(against=old_version.url)
    assert result.ttft.p95 < 2_000  # ms
