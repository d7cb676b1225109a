"""From configuration, target and workload to what the engine sends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from pytest_aiperf.common.header_values import header_values
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.measure.connections import connection_settings
from pytest_aiperf.measure.target import Target
from pytest_aiperf.measure.workload import Workload

LONGEST_RUN_S: Final = 3600.0
_SLACK_S: Final = 60.0


def load_plan(config: AIPerfConfig, target: Target, workload: Workload) -> LoadPlan:
    """Return the plan of one run.

    Raises:
        ConfigurationError: a header names a variable that the environment does not have.
    """
    endpoint, load = config.endpoint, config.load
    header_values(endpoint.headers)  # told now; the plan keeps the names, and the load process looks them up
    return LoadPlan(
        url=target.url,
        further_urls=target.further_urls,
        bodies=workload.bodies,
        expected=workload.expected,
        endpoint_type=endpoint.type,
        endpoint_extra=endpoint.extra,
        streaming=endpoint.streaming,
        download_video_content=endpoint.download_video_content,
        concurrency=load.concurrency,
        concurrency_ramp_s=load.concurrency_ramp_s or 0.0,
        ramp_shape=load.ramp_shape,
        prefill_concurrency=load.prefill_concurrency,
        **_columns(workload),
        count=len(workload.bodies) if load.request_count is not None else None,
        duration_s=load.duration_s,
        grace_period_s=load.grace_period_s,
        max_duration_s=_longest_s(config, workload),
        **connection_settings(endpoint),
    )


def single_request(plan: LoadPlan) -> LoadPlan:
    """Return a plan that sends the first request alone, at once, with the same transport."""
    return replace(
        plan,
        bodies=plan.bodies[:1],
        expected=None,
        further_urls=(),
        concurrency=1,
        concurrency_ramp_s=0.0,
        prefill_concurrency=None,
        due_ns=None,
        conversation=None,
        after_offsets=None,
        after=None,
        delay_ns=None,
        cancel_after_ns=None,
        count=None,
        duration_s=None,
    )


def _columns(workload: Workload) -> dict[str, Any]:
    schedule = workload.schedule
    columns: dict[str, Any] = {"due_ns": schedule.due_ns, "cancel_after_ns": schedule.cancel_after_ns}
    linked = schedule.conversations
    if linked is not None:
        columns |= {
            "conversation": linked.conversation,
            "after_offsets": linked.after_offsets,
            "after": linked.after,
            "delay_ns": linked.delay_ns,
        }
    return columns


def _longest_s(config: AIPerfConfig, workload: Workload) -> float:
    """Return when a run is cut short: after the time budget, else well after it should have ended."""
    if config.verdict.max_time_s is not None:
        return config.verdict.max_time_s
    load, due_ns = config.load, workload.schedule.due_ns
    planned_s = load.duration_s or (float(due_ns[-1]) / 1e9 if due_ns is not None else 0.0)
    grace_s = load.grace_period_s if load.duration_s is not None else config.endpoint.request_timeout_s
    return max(LONGEST_RUN_S, planned_s + grace_s + _SLACK_S)
