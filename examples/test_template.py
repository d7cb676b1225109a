"""An API that has no endpoint type of its own: a template writes the requests, a query finds the answers."""

import pytest

BODY = """{
  "messages": [{"role": "user", "content": {{ text|tojson }}}],
  "max_tokens": {{ max_tokens }}
}"""


@pytest.mark.aiperf(
    endpoint_type="template",
    custom_endpoint="/v1/chat/completions",
    extra_inputs={"payload_template": BODY, "response_field": "choices[0].message.content"},
    concurrency=4,
    osl=16,
    request_count=60,
    tolerance={"latency.p50": "8%"},
)
def test_own_api(aiperf_result):
    assert aiperf_result.latency.p50 < 5_000  # ms
