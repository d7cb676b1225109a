"""The load in a few names and numbers: part of the hard key, and what people read when two loads differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from textwrap import shorten
from typing import Any, Final

from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.input_checks import OPTION
from pytest_aiperf.config.input_config import InputConfig

_IF_GIVEN: Final = {
    "prefill_concurrency": "prefill_concurrency",
    "concurrency_ramp_duration": "concurrency_ramp_s",
    "request_rate": "request_rate",
    "arrival_smoothness": "arrival_smoothness",
    "request_rate_ramp_duration": "request_rate_ramp_s",
    "benchmark_duration": "duration_s",
    "warmup_request_count": "warm_up",
    "fixed_schedule_start_offset": "schedule_start_ms",
    "fixed_schedule_end_offset": "schedule_end_ms",
    "fixed_schedule_speedup": "schedule_speedup",
    "user_centric_rate": "user_centric_rate",
    "num_users": "num_users",
    "request_cancellation_rate": "cancellation_percent",
    "request_cancellation_delay": "cancellation_delay_s",
}
"""By the names that people type."""
_USUAL_INPUT: Final = ("isl", "osl", "seed")
"""Named by every key."""
_PATHS: Final = ("input_file", "system_prompt_file", "tokenizer")


def load_key(config: AIPerfConfig) -> Mapping[str, Any]:
    """Return mode, level and lengths, and beyond them what is not usual: older baselines have no more than those."""
    load = config.load
    usual = {
        "mode": load.mode,
        "concurrency": load.concurrency,
        "request_count": load.request_count,
        "isl": config.input.isl,
        "osl": config.input.osl,
        "seed": config.input.seed,
        "streaming": config.endpoint.streaming,
        "endpoint_type": config.endpoint.type,
    }
    given = {name: value for name, field in _IF_GIVEN.items() if (value := getattr(load, field)) is not None}
    return usual | given | _unusual(config)


def _unusual(config: AIPerfConfig) -> dict[str, Any]:
    load, endpoint = config.load, config.endpoint
    found: dict[str, Any] = {}
    if load.mode == "request_rate":
        found["arrival_pattern"] = load.arrival_pattern
    if load.concurrency_ramp_s is not None or load.request_rate_ramp_s is not None:
        found["ramp_shape"] = load.ramp_shape
    if load.fixed_schedule is not None:
        found["fixed_schedule"] = _file_name(load.fixed_schedule)
    found |= _unusual_input(config.input)
    if endpoint.custom_endpoint is not None:
        found["custom_endpoint"] = endpoint.custom_endpoint
    if endpoint.download_video_content:
        found["download_video_content"] = True
    if endpoint.connection_reuse_strategy != "pooled":
        found["connection_reuse_strategy"] = endpoint.connection_reuse_strategy
    if config.verdict.goodput:
        found["goodput"] = dict(config.verdict.goodput)
    return found


def _unusual_input(given: InputConfig) -> dict[str, Any]:
    found = dict(given.unusual)
    for name in _USUAL_INPUT:
        found.pop(name, None)
    for name in _PATHS:
        if name in found:
            found[name] = _file_name(found[name])
    if "system_prompt" in found:
        found["system_prompt"] = shorten(found["system_prompt"], 60, placeholder="…")
    if "turns" in found:
        found["turn_delay_ms"] = given.turn_delay_ms
    return {OPTION.get(name, name): value for name, value in found.items()}


def _file_name(path: str) -> str:
    """What a file holds is in the digest, and its folder is another one on every machine."""
    return PurePath(path).name


def describe_load(load: Mapping[str, Any]) -> str:
    """Return the load of a key in a few words: ``8 concurrent, 200 requests``, ``10 requests/s poisson, 30 s``."""
    limit = load.get("concurrency")
    mode = load.get("mode")
    if mode == "request_rate":
        first = f"{load['request_rate']:g} requests/s {load.get('arrival_pattern', '')}".rstrip()
    elif mode == "user_centric":
        first = f"{load['num_users']} users, {load['user_centric_rate']:g} requests/s"
    elif mode == "fixed_schedule":
        first = f"schedule {load['fixed_schedule']}"
    else:
        first = f"{limit} concurrent"
    parts = [first]
    if mode not in (None, "concurrency") and limit is not None:
        parts.append(f"at most {limit} concurrent")
    if load.get("benchmark_duration") is not None:
        parts.append(f"{load['benchmark_duration']:g} s")
    if load.get("request_count") is not None:
        parts.append(f"{load['request_count']} requests")
    if load.get("input_file") is not None:
        parts.append(f"data {load['input_file']}")
    return ", ".join(parts)
