"""What each server calls the quantities on its page: data, from the servers' public documentation and source.

A server that renamed something has the present name first. Where a page has several of the alternatives, the first
one counts and the others are the same figure once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from pytest_aiperf.server_metrics import quantities as q

Reads = Literal["added", "largest", "sum", "count", "histogram", "summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A metric of a page, and what it is of a quantity."""

    name: str
    reads: Reads = "added"
    where: Mapping[str, str] = field(default_factory=dict)
    """Labels that a sample must have."""
    scale: float = 1.0
    """What makes seconds, or a share, of its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A quantity that a server tells."""

    quantity: str
    alternatives: tuple[tuple[Source, ...], ...]
    """The first one that the page has counts; its sources are taken together."""
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownServer:
    """A server whose page is understood."""

    name: str
    owner: str
    """Who owns the models that its ``/v1/models`` lists."""
    told: tuple[Told, ...]
    arguments: tuple[str, ...] = ()
    """Metrics whose labels are what the server was started with."""
    asked_at: tuple[str, ...] = ()
    """Paths that tell its version or arguments."""
    how: str = ""
    """What makes the page appear."""


def _one(quantity: str, *names: str, reads: Reads = "added", remark: str = "") -> Told:
    """A quantity that is one metric, under one of these names."""
    return Told(
        quantity=quantity,
        alternatives=tuple((Source(name=name, reads=reads),) for name in names),
        remark=remark,
    )


_VLLM: Final = KnownServer(
    name="vLLM",
    owner="vllm",
    asked_at=("/version", "/v1/models"),
    arguments=("vllm:cache_config_info",),
    told=(
        _one(q.RUNNING, "vllm:num_requests_running"),
        _one(q.WAITING, "vllm:num_requests_waiting"),
        _one(q.KV_CACHE, "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", reads="largest"),
        _one(q.CACHE_QUERIES, "vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
        _one(q.CACHE_HITS, "vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
        _one(q.PREEMPTIONS, "vllm:num_preemptions_total"),
        _one(q.PROMPT_TOKENS, "vllm:prompt_tokens_total"),
        _one(q.GENERATED_TOKENS, "vllm:generation_tokens_total"),
        _one(q.SERVED, "vllm:request_success_total", remark="cancelled ones too"),
        _one(q.QUEUE_TIME, "vllm:request_queue_time_seconds", reads="histogram"),
        _one(q.PREFILL_TIME, "vllm:request_prefill_time_seconds", reads="histogram"),
        _one(q.DECODE_TIME, "vllm:request_decode_time_seconds", reads="histogram"),
    ),
)

_SGLANG: Final = KnownServer(
    name="SGLang",
    owner="sglang",
    asked_at=("/server_info", "/get_server_info", "/v1/models"),
    how="start it with `--enable-metrics`",
    told=(
        _one(q.RUNNING, "sglang:num_running_reqs"),
        _one(q.WAITING, "sglang:num_queue_reqs"),
        _one(q.KV_CACHE, "sglang:token_usage", reads="largest"),
        _one(q.CACHE_QUERIES, "sglang:prompt_tokens_total"),
        _one(q.CACHE_HITS, "sglang:cached_tokens_total"),
        _one(q.HIT_RATE, "sglang:cache_hit_rate", reads="largest", remark="of the last batches"),
        _one(q.PREEMPTIONS, "sglang:num_retracted_requests_total"),
        _one(q.PROMPT_TOKENS, "sglang:prompt_tokens_total"),
        _one(q.GENERATED_TOKENS, "sglang:generation_tokens_total"),
        _one(q.SERVED, "sglang:num_requests_total"),
        _one(q.QUEUE_TIME, "sglang:queue_time_seconds", reads="histogram"),
        Told(
            quantity=q.PREFILL_TIME,
            alternatives=(
                (
                    Source(
                        name="sglang:per_stage_req_latency_seconds",
                        reads="histogram",
                        where={"stage": "prefill_forward"},
                    ),
                ),
            ),
        ),
    ),
)

_TGI: Final = KnownServer(
    name="TGI",
    owner="",
    asked_at=("/info",),
    told=(
        _one(q.RUNNING, "tgi_batch_current_size", remark="requests in the batch"),
        _one(q.WAITING, "tgi_queue_size"),
        _one(q.PROMPT_TOKENS, "tgi_request_input_length_sum"),
        _one(q.GENERATED_TOKENS, "tgi_request_generated_tokens_sum"),
        _one(q.SERVED, "tgi_request_success", "tgi_request_success_total"),
        _one(q.QUEUE_TIME, "tgi_request_queue_duration", reads="histogram"),
        Told(
            quantity=q.PREFILL_TIME,
            alternatives=(
                (
                    Source(
                        name="tgi_batch_inference_duration", reads="histogram", where={"method": "prefill"}
                    ),
                ),
            ),
            remark="of a batch, not of a request",
        ),
        Told(
            quantity=q.DECODE_TIME,
            alternatives=(
                (Source(name="tgi_batch_inference_duration", reads="histogram", where={"method": "decode"}),),
            ),
            remark="of a step of a batch, not of a request",
        ),
    ),
)

_LLAMA_CPP: Final = KnownServer(
    name="llama.cpp",
    owner="llamacpp",
    asked_at=("/props",),
    how="start `llama-server` with `--metrics`",
    told=(
        _one(q.RUNNING, "llamacpp:requests_processing"),
        _one(q.WAITING, "llamacpp:requests_deferred"),
        _one(q.KV_CACHE, "llamacpp:kv_cache_usage_ratio", reads="largest", remark="older versions only"),
        _one(q.PROMPT_TOKENS, "llamacpp:prompt_tokens_total"),
        _one(q.GENERATED_TOKENS, "llamacpp:tokens_predicted_total"),
        _one(q.PREFILL_TIME, "llamacpp:prompt_seconds_total", reads="sum"),
        _one(q.DECODE_TIME, "llamacpp:tokens_predicted_seconds_total", reads="sum"),
    ),
)

_TENSORRT_LLM: Final = KnownServer(
    name="TensorRT-LLM",
    owner="tensorrt_llm",
    asked_at=("/version", "/v1/models"),
    arguments=(
        "trtllm_model_config_info",
        "trtllm_parallel_config_info",
        "trtllm_speculative_config_info",
        "trtllm_kv_cache_config_info",
    ),
    how="start it with `return_perf_metrics: true` and `enable_iter_perf_stats: true` among its arguments; "
    "its page is `/prometheus/metrics`, its `/metrics` answers JSON",
    told=(
        _one(q.RUNNING, "trtllm_num_requests_running"),
        _one(q.WAITING, "trtllm_num_requests_waiting"),
        _one(q.KV_CACHE, "trtllm_kv_cache_utilization", reads="largest"),
        Told(
            quantity=q.CACHE_QUERIES,
            alternatives=(
                (
                    Source(name="trtllm_kv_cache_reused_blocks_total"),
                    Source(name="trtllm_kv_cache_missed_blocks_total"),
                ),
            ),
            remark="blocks, not tokens",
        ),
        _one(q.CACHE_HITS, "trtllm_kv_cache_reused_blocks_total", remark="blocks, not tokens"),
        _one(q.HIT_RATE, "trtllm_kv_cache_hit_rate", reads="largest", remark="since its start"),
        _one(q.PROMPT_TOKENS, "trtllm_prompt_tokens_total"),
        _one(q.GENERATED_TOKENS, "trtllm_generation_tokens_total"),
        _one(q.SERVED, "trtllm_request_success_total"),
        _one(q.QUEUE_TIME, "trtllm_request_queue_time_seconds", reads="histogram"),
        _one(q.PREFILL_TIME, "trtllm_request_prefill_time_seconds", reads="histogram"),
        _one(q.DECODE_TIME, "trtllm_request_decode_time_seconds", reads="histogram"),
    ),
)

_TRITON: Final = KnownServer(
    name="Triton",
    owner="",
    asked_at=("/v2",),
    how="its page is on a port of its own, 8002 by default",
    told=(
        Told(
            quantity=q.RUNNING,
            alternatives=((Source(name="nv_trt_llm_request_metrics", where={"request_type": "scheduled"}),),),
            remark="with the TensorRT-LLM backend",
        ),
        Told(
            quantity=q.WAITING,
            alternatives=(
                (Source(name="nv_trt_llm_request_metrics", where={"request_type": "waiting"}),),
                (Source(name="nv_inference_pending_request_count"),),
            ),
        ),
        Told(
            quantity=q.KV_CACHE,
            alternatives=(
                (
                    Source(
                        name="nv_trt_llm_kv_cache_block_metrics",
                        reads="largest",
                        where={"kv_cache_block_type": "fraction"},
                    ),
                ),
            ),
            remark="with the TensorRT-LLM backend",
        ),
        _one(
            q.SERVED,
            "nv_inference_request_success",
            reads="largest",
            remark="a request to a pipeline of models counts once for each: the model that served most",
        ),
        Told(
            quantity=q.QUEUE_TIME,
            alternatives=(
                (Source(name="nv_inference_queue_summary_us", reads="summary", scale=1e-6),),
                (
                    Source(name="nv_inference_queue_duration_us", reads="sum", scale=1e-6),
                    Source(name="nv_inference_request_success", reads="count"),
                ),
            ),
            remark="of each model that a request goes through",
        ),
    ),
)

SERVERS: Final = (_VLLM, _SGLANG, _TGI, _LLAMA_CPP, _TENSORRT_LLM, _TRITON)
"""Where a page is of two of them (vLLM behind Triton), the earlier one's figures count."""
