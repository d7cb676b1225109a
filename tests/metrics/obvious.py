"""Every formula once more, as slow and obvious as it can be written: one request at a time, in milliseconds.

Each function gets the measured requests and the context; one per request gets the request, the requests and the
context. NaN and None are "absent".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from columns import Request

from pytest_aiperf.common.records import ABSENT, Outcome
from pytest_aiperf.metrics.base_metric import MetricContext

NAN = math.nan


def told(count: int) -> float:
    return NAN if count == ABSENT else count


def source(requests: Sequence[Request]) -> str:
    good = [r for r in requests if r.outcome == Outcome.OK]
    if not good:
        return "absent"
    if all(r.output_tokens != ABSENT for r in good):
        return "usage"
    return "messages" if any(len(r.content) > 1 for r in good) else "absent"


def osl(r, requests, context):
    return {
        "usage": told(r.output_tokens),
        "messages": len(r.content) or NAN,
        "absent": NAN,
    }[source(requests)]


def visible(r, requests, context):
    if r.reasoning_tokens != ABSENT:
        return osl(r, requests, context) - r.reasoning_tokens
    begins_with_output = r.spoke == next(iter(r.content), None)
    return osl(r, requests, context) if begins_with_output else NAN


def ttft(r, requests, context):
    return r.content[0] - r.t0 if r.content else NAN


def latency(r, requests, context):
    return r.content[-1] - r.t0 if r.content else NAN


def decode(r, requests, context):
    return r.content[-1] - r.content[0] if r.content else NAN


def itl(r, requests, context):
    steps = osl(r, requests, context) - (r.first_tokens if source(requests) == "usage" else 1)
    return decode(r, requests, context) / steps if len(r.content) >= 2 and steps > 0 else NAN


def over(amount, span_ms):
    return amount / (span_ms / 1000) if span_ms > 0 else NAN


def adjusted(plain):
    """Of all requests, failed ones too; absent where none failed."""

    def formula(r, requests, context):
        if not any(failed(q) for q in requests):
            return NAN
        return math.inf if failed(r) else plain(r, requests, context) if r.outcome == Outcome.OK else NAN

    formula.of_all = True
    return formula


def failed(r: Request) -> bool:
    return r.outcome in (Outcome.ERROR, Outcome.TRUNCATED)


def blocked(r, requests, context):
    return NAN if r.t_plan is None else max(r.t0 - r.t_plan - r.connecting, 0)


def overhead(r, requests, context):
    return r.connecting + (blocked(r, requests, context) if context.open_loop else 0)


def late(r, requests, context):
    return NAN if r.t_plan is None else r.t0 - r.t_plan


PER_REQUEST = {
    "time_to_first_token": ttft,
    "time_to_second_token": lambda r, *_: r.content[1] - r.content[0] if len(r.content) > 1 else NAN,
    "time_to_first_output_token": lambda r, *_: NAN if r.spoke is None else r.spoke - r.t0,
    "request_latency": latency,
    "decode_duration": decode,
    "inter_token_latency": itl,
    "adj_time_to_first_token": adjusted(ttft),
    "adj_request_latency": adjusted(latency),
    "adj_decode_duration": adjusted(decode),
    "adj_inter_token_latency": adjusted(itl),
    "stream_setup_latency": lambda r, *_: r.answered - r.t0,
    "stream_prefill_latency": lambda r, *_: r.content[0] - r.answered if r.content else NAN,
    "output_token_throughput_per_user": lambda r, *rest: over(1, itl(r, *rest)),
    "e2e_output_token_throughput": lambda r, *rest: over(osl(r, *rest), latency(r, *rest)),
    "prefill_throughput_per_user": lambda r, *rest: over(told(r.input_tokens), ttft(r, *rest)),
    "output_sequence_length": osl,
    "output_token_count": visible,
    "reasoning_token_count": lambda r, *_: told(r.reasoning_tokens),
    "input_sequence_length": lambda r, *_: told(r.input_tokens),
    "osl_mismatch_diff_pct": lambda r, requests, context: (
        (osl(r, requests, context) / context.asked_osl - 1) * 100 if context.asked_osl else NAN
    ),
    "usage_prompt_cache_read_tokens": lambda r, *_: told(r.cached_tokens),
    "thinking_efficiency": lambda r, *rest: (
        told(r.reasoning_tokens) / visible(r, *rest) if visible(r, *rest) > 0 else NAN
    ),
    "effective_latency": lambda r, *_: NAN if r.t_plan is None or not r.content else r.content[-1] - r.t_plan,
    "replay_send_schedule_offset": late,
    "http_req_blocked": blocked,
    "http_req_connecting": lambda r, *_: r.connecting,
    "http_req_sending": lambda r, *_: r.sent - r.t0,
    "http_req_waiting": lambda r, *_: r.answered - r.sent,
    "http_req_receiving": lambda r, *_: r.ended - r.answered,
    "http_req_duration": lambda r, *_: r.ended - r.t0,
    "http_req_connection_overhead": overhead,
    "http_req_total": lambda r, *rest: overhead(r, *rest) + r.ended - r.t0,
    "http_req_data_sent": lambda r, *_: r.sent_bytes / 1024,
    "http_req_data_received": lambda r, *_: r.received_bytes / 1024,
    "http_req_connection_reused": lambda r, *_: float(r.connecting == 0),
}


def per_request(tag: str, requests: Sequence[Request], context: MetricContext) -> list[float]:
    formula = PER_REQUEST[tag]
    return [
        formula(r, requests, context) if r.outcome == Outcome.OK or getattr(formula, "of_all", False) else NAN
        for r in requests
    ]


def gaps(requests: Sequence[Request]) -> list[list[float]]:
    return [
        [b - a for a, b in zip(r.content, r.content[1:], strict=False)] if r.outcome == Outcome.OK else []
        for r in requests
    ]


def good(requests):
    return [r for r in requests if r.outcome == Outcome.OK]


def total(tag):
    def formula(requests, context):
        values = [PER_REQUEST[tag](r, requests, context) for r in good(requests)]
        return None if not values or any(math.isnan(v) for v in values) else sum(values)

    return formula


def sum_of(*names):
    def formula(requests, context):
        counts = [getattr(r, name) for r in good(requests) for name in names]
        return None if not counts or ABSENT in counts else sum(counts)

    return formula


def keeps(r: Request, requests, context) -> bool:
    from pytest_aiperf.metrics.registry import all_metrics

    if r.outcome != Outcome.OK:
        return False
    for tag, limit in context.slos.items():
        listed = tag == "inter_chunk_latency"
        values = (gaps([r])[0] or [NAN]) if listed else [PER_REQUEST[tag](r, requests, context)]
        higher = all_metrics()[tag].direction == "higher"
        if not all(v >= limit if higher else v <= limit for v in values):
            return False
    return True


def n_kept(requests, context):
    return sum(keeps(r, requests, context) for r in requests)


def mismatched(requests, context):
    lengths = [osl(r, requests, context) for r in good(requests)]
    known = [length for length in lengths if not math.isnan(length)]
    if not context.asked_osl or not known:
        return None
    return sum(abs(k - context.asked_osl) > min(0.05 * context.asked_osl, 50) for k in known)


def error_rate(requests, context):
    completed = [r for r in requests if r.outcome != Outcome.CANCELLED]
    return 100 * sum(map(failed, requests)) / len(completed) if completed else None


def lag(percent):
    def formula(requests, context):
        offsets = sorted(r.t0 - r.t_plan for r in good(requests) if r.t_plan is not None)
        if not offsets:
            return None
        place = percent / 100 * (len(offsets) - 1)
        low, high = offsets[math.floor(place)], offsets[math.ceil(place)]
        return low + (place - math.floor(place)) * (high - low)

    return formula


def share(part, whole, factor=1.0):
    def formula(requests, context):
        a, b = part(requests, context), whole(requests, context)
        return None if a is None or not b else factor * a / b

    return formula


def span_s(requests, context):
    answered = [r for r in good(requests) if r.content]
    if not answered:
        return None
    return (max(r.content[-1] for r in answered) - min(r.t0 for r in answered)) / 1000


def completed(requests, context):
    return sum(r.outcome != Outcome.CANCELLED for r in requests)


AMOUNTS = {
    "request_throughput": lambda requests, context: len(good(requests)),
    "output_token_throughput": total("output_sequence_length"),
    "input_token_throughput": sum_of("input_tokens"),
    "total_token_throughput": lambda requests, context: (
        None
        if sum_of("input_tokens")(requests, context) is None
        or total("output_sequence_length")(requests, context) is None
        else sum_of("input_tokens")(requests, context) + total("output_sequence_length")(requests, context)
    ),
    "goodput": n_kept,
}
PER_RUN = {
    "accuracy": lambda requests, context: (
        sum(r.correct == 1 for r in requests) / graded
        if (graded := sum(r.correct != ABSENT for r in requests))
        else None
    ),
    "good_request_count": n_kept,
    "good_request_fraction": share(n_kept, completed),
    "total_isl": sum_of("input_tokens"),
    "total_osl": total("output_sequence_length"),
    "total_output_tokens": total("output_token_count"),
    "total_reasoning_tokens": sum_of("reasoning_tokens"),
    "overall_thinking_efficiency": share(sum_of("reasoning_tokens"), total("output_token_count")),
    "total_usage_prompt_tokens": sum_of("input_tokens"),
    "total_usage_completion_tokens": sum_of("output_tokens"),
    "total_usage_total_tokens": sum_of("input_tokens", "output_tokens"),
    "total_usage_reasoning_tokens": sum_of("reasoning_tokens"),
    "total_usage_prompt_cache_read_tokens": sum_of("cached_tokens"),
    "overall_usage_prompt_cache_read_pct": share(sum_of("cached_tokens"), sum_of("input_tokens"), 100),
    "osl_mismatch_count": mismatched,
    "request_count": lambda requests, context: len(good(requests)),
    "error_request_count": lambda requests, context: sum(map(failed, requests)),
    "completed_request_count": completed,
    "truncated_request_count": lambda requests, context: sum(
        r.outcome == Outcome.TRUNCATED for r in requests
    ),
    "cancelled_request_count": lambda requests, context: sum(
        r.outcome == Outcome.CANCELLED for r in requests
    ),
    "request_error_rate": error_rate,
    "benchmark_duration": span_s,
    "replay_sched_lag_p50": lag(50),
    "replay_sched_lag_p90": lag(90),
    "replay_sched_lag_p99": lag(99),
}


def level_at(tag: str, now: float, requests: Sequence[Request]) -> tuple[float, int]:
    """Return the level at a moment, and how many requests make it, from all requests of the run."""
    value, count = 0.0, 0
    for r in requests:
        first = r.content[0] if r.content else r.ended
        last = r.content[-1] if r.content else r.ended
        in_prefill, in_decode = r.t0 <= now < first, first <= now < last
        prompt, output = max(r.input_tokens, 0), max(r.output_tokens, 0)
        parts = {
            "concurrency": [(r.t0 <= now < r.ended, 1)],
            "prefill_concurrency": [(in_prefill, 1)],
            "decode_concurrency": [(in_decode, 1)],
            "tokens_in_flight": [(r.t0 <= now < last and bool(r.content), prompt), (in_decode, output)],
            "prefill_throughput": [(in_prefill and r.input_tokens >= 0, over(prompt, first - r.t0))],
            "decode_throughput": [(in_decode and r.output_tokens >= 0, over(output, last - first))],
        }
        parts["total_throughput"] = parts["prefill_throughput"] + parts["decode_throughput"]
        for inside, amount in parts[tag.removeprefix("effective_").removeprefix("active_")]:
            value, count = value + amount * inside if inside else value, count + inside
    return value, count
