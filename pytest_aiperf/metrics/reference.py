"""The page of metrics: what the classes say of themselves, and which of AIPerf's are not here, with reasons."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Final

from pytest_aiperf.metrics.base_metric import (
    BaseLevelMetric,
    BaseListMetric,
    BaseMetric,
    BaseRecordMetric,
    BaseRunMetric,
    Group,
)
from pytest_aiperf.metrics.registry import ALIASES, all_metrics

GROUPS: Final[Mapping[Group, str]] = {
    "latency": "Latency",
    "tokens": "Tokens",
    "throughput": "Throughput",
    "requests": "Requests",
    "goodput": "Goodput",
    "schedule": "Schedule",
    "http": "HTTP",
    "concurrency": "Over time",
}
_PER: Final = {
    BaseRecordMetric: "request",
    BaseListMetric: "gap",
    BaseRunMetric: "run",
    BaseLevelMetric: "time",
}
LEFT_OUT: Final = {
    "`error_isl`, `total_error_isl`": "a failed request tells no token counts",
    "`usage_prompt_tokens`, `usage_completion_tokens`, … per request": "they would repeat the sequence lengths, "
    "which come from usage; the one that is not among those, `usage_prompt_cache_read_tokens`, is there",
    "`usage_*_diff_pct`, `usage_discrepancy_count`": "they compare usage with a tokenizer's counts; there is none",
    "`network_rtt`, `network_adjusted_*`": "connections are opened before the load, and no ping is sent beside it",
    "`http_req_dns_lookup`": "the address is resolved once, before the run",
    "`http_req_chunks_sent`, `http_req_chunks_received`": "reads are not recorded, messages are: `coalesced_share`",
    "`credit_drop_latency`, `credit_to_start_latency`": "there are no credits: `replay_send_schedule_offset` is the "
    "lateness of a send",
    "`replay_sched_degraded`": "the check of the schedule's lag says it, and makes the run invalid",
    "`effective_*_throughput_per_user`, `active_*_throughput_per_user`": "the same as `*_throughput_per_user`, "
    "weighted by time instead of by request",
    "`min_request_timestamp`, `max_response_timestamp`": "the ends of `benchmark_duration`; throughputs rest on the "
    "window, which every run has as `window_s`",
    "`spec_decode_*`": "they come from the server's own metrics",
    "`nvidia_*`, `amd_*`": "energy per token and the like need the GPU's records beside the run's",
    "`rtfx`, `audio_duration`, `image_*`, `video_*`, `num_images`": "the records hold no media",
    "`context_overflow_count`": "such a refusal is a failed request, grouped by its message in `result.errors`",
}
HEAD: Final = """# Metrics

Generated from the metrics' own classes by `python docs/generate.py`. Tags, units and formulas are AIPerf's, so that
figures can be compared.

`result.time_to_first_token`, `result["time_to_first_token"]`, and for some a short name, `result.ttft`: see
[Writing tests](writing-tests.md). Every metric has `unit`, `direction`, `count`, `sum`, `avg`, `min`, `max`, `std` and
`p1`, `p5`, `p10`, `p25`, `p50`, `p75`, `p90`, `p95`, `p99`, all of them in the [result document](result-document.md)
too. `p99_9`, also written `p999`, takes 10 000 values: with fewer it would be a guess about the slowest two or three.
A figure, a tolerance and a limit in `goodput` are all given in the one unit of the metric.

```python
def test_chat(aiperf):
    result = aiperf.run(concurrency=8, goodput="ttft:400 itl:20")
    assert result.ttft.p95 < 400
    assert result.error_request_count.sum == 0
    assert result.good_request_fraction.min > 0.95
    assert result.effective_concurrency.avg > 7.5
```

Only requests that ended well have values. *Per* says what one value belongs to:

- *request*: percentiles are over the requests of all runs, linear between neighbours.
- *gap*: the same, with several values per request.
- *run*: one value per run; percentiles are over runs.
- *time*: a level, such as the requests in flight; figures are weighted by the time spent at each level, and `sum` is
  `None`.

What was not measured is absent: `"isl" in result` is false, and asking for it says why. A count of none is 0.

*Better* is `lower`, `higher`, or neither. **Kept** metrics are in baselines, with `avg`, `p50`, `p90`, `p95` and
`p99`; they can be [judged](verdict.md#what-is-judged), and have intervals (`ci`).

In formulas `t0` is the moment before the first byte of a request is handed to the socket, `t_sent` the moment after
the last, `t_hdr` the end of the response head, `c_1`, `c_2`, … `c_last` the messages with content, `t_end` the end of
the answer, `t_plan` when the schedule wanted the request sent. The *window* is
[described here](measuring.md#warm-up-window-and-drain).
"""


def render_markdown() -> str:
    """Return the page."""
    lines = [HEAD]
    for group, title in GROUPS.items():
        lines += [
            f"## {title}",
            "",
            "| metric | what it is | unit | per | better | needs |",
            "|" + "---|" * 6,
        ]
        lines += [_row(metric) for metric in all_metrics().values() if metric.group == group]
        lines.append("")
    lines += ["## What AIPerf has beside these", "", "| metric | why it is not here |", "|---|---|"]
    lines += [f"| {name} | {reason} |" for name, reason in LEFT_OUT.items()]
    return "\n".join(lines) + "\n"


def _row(metric: BaseMetric) -> str:
    aliases = [f"`{alias}`" for alias, tag in ALIASES.items() if tag == metric.tag]
    name = ", ".join([f"`{metric.tag}`", *aliases])
    text = " ".join((inspect.getdoc(type(metric)) or "").split()).replace("|", r"\|")
    better = "" if metric.direction == "neutral" else metric.direction
    per = next(word for kind, word in _PER.items() if isinstance(metric, kind))
    shown = f"**{name}**" if metric.stored else name
    return f"| {shown} | {text} | {metric.unit} | {per} | {better} | {', '.join(_needs(metric))} |"


def _needs(metric: BaseMetric) -> Iterator[str]:
    if metric.streaming_only:
        yield "streaming"
    if metric.open_loop_only:
        yield "due times"
    if metric.slos_only:
        yield "`goodput`"
    if metric.graded_only:
        yield "[expected answers](accuracy.md)"
    if isinstance(metric, BaseRecordMetric) and metric.counts_failed:
        yield "a failed request"
