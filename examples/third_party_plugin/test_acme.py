import pytest


@pytest.mark.aiperf(endpoint_type="acme-chat", metrics=["acme_bytes_per_token.p50"], isl=8, osl=8)
def test_answers_are_small(aiperf):
    result = aiperf.run(request_count=20)
    assert result.acme_bytes_per_token.p50 < 1000
