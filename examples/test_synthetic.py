"""Prompts that are made up: of mixed lengths, and with a shared beginning."""

import pytest


@pytest.mark.aiperf(concurrency=4, request_count=60, seq_dist="64|10,16:80;256,32:20")
def test_a_mix_of_lengths(aiperf_result):
    assert aiperf_result.ttft.p95 < 5_000  # ms


@pytest.mark.aiperf(
    concurrency=4, request_count=60, prefix_prompt_pool_size=3, prefix_prompt_length=200, isl=20
)
def test_what_a_prefix_cache_can_share(aiperf_result):
    assert aiperf_result.ttft.p95 < 5_000  # ms
