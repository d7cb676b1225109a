"""Tokens at work, and tokens per second, over the time of the window.

A request's prompt is taken to be read at an even rate through its prefill, its output to be made at an even rate
through its decode. Unlike the throughputs, which count what was completed, these are statistics of a level, with a
greatest value and percentiles. Requests whose token counts the server does not tell make no level: absent then.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import ABSENT, Int64, Outcome, RecordBatch
from pytest_aiperf.metrics.base_metric import BaseLevelMetric, Direction, Floats, Group, Levels
from pytest_aiperf.metrics.run_columns import RunColumns
from pytest_aiperf.metrics.sweep import time_at_levels
from pytest_aiperf.metrics.types.concurrency import decode, prefill, while_busy


class TokensInFlight(BaseLevelMetric):
    """Prompt tokens from `t0`, and output tokens from the first content, to the last content of each request.

    An upper bound of what the server's KV cache holds for them: all output counts from its first token.
    """

    tag = "tokens_in_flight"
    header = "Tokens in Flight"
    description = "Tokens of the requests in flight over time"
    unit = "tokens"
    direction: ClassVar[Direction] = "neutral"
    group: ClassVar[Group] = "concurrency"
    display_order = 1330
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each number of tokens."""
        batch = run.batch
        if not (_all_told(batch, batch.input_tokens) and _all_told(batch, batch.output_tokens)):
            return None
        first, last = decode(batch)
        start = np.concatenate((batch.t0, first))
        amount = np.concatenate((batch.input_tokens, batch.output_tokens)).astype(np.float64)
        return _sweep(start, np.concatenate((last, last)), amount, run)


class EffectivePrefillThroughput(BaseLevelMetric):
    """Sum of ``ISL / TTFT`` over the requests in prefill."""

    tag = "effective_prefill_throughput"
    header = "Effective Prefill Throughput"
    description = "Prompt tokens per second over time"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "concurrency"
    display_order = 1340
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each rate."""
        if not _all_told(run.batch, run.batch.input_tokens):
            return None
        start, end = prefill(run.batch)
        return _sweep(start, end, _per_second(run.batch.input_tokens, end - start), run)


class EffectiveDecodeThroughput(BaseLevelMetric):
    """Sum of ``OSL / decode_duration`` over the requests in decode."""

    tag = "effective_decode_throughput"
    header = "Effective Decode Throughput"
    description = "Output tokens per second over time"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "concurrency"
    display_order = 1350
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each rate."""
        if not _all_told(run.batch, run.batch.output_tokens):
            return None
        start, end = decode(run.batch)
        return _sweep(start, end, _per_second(run.batch.output_tokens, end - start), run)


class EffectiveTotalThroughput(BaseLevelMetric):
    """`effective_prefill_throughput` and `effective_decode_throughput` together."""

    tag = "effective_total_throughput"
    header = "Effective Total Throughput"
    description = "All tokens per second over time"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "concurrency"
    display_order = 1360
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each rate."""
        batch = run.batch
        if not (_all_told(batch, batch.input_tokens) and _all_told(batch, batch.output_tokens)):
            return None
        start, end = (np.concatenate(pair) for pair in zip(prefill(batch), decode(batch), strict=True))
        tokens = np.concatenate((batch.input_tokens, batch.output_tokens))
        return _sweep(start, end, _per_second(tokens, end - start), run)


class ActivePrefillThroughput(BaseLevelMetric):
    """`effective_prefill_throughput` over the time in which a request was in prefill."""

    tag = "active_prefill_throughput"
    header = "Active Prefill Throughput"
    description = "Prompt tokens per second, while there is prefill"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "concurrency"
    display_order = 1341
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each rate."""
        return while_busy(run, EffectivePrefillThroughput)


class ActiveDecodeThroughput(BaseLevelMetric):
    """`effective_decode_throughput` over the time in which a request was in decode."""

    tag = "active_decode_throughput"
    header = "Active Decode Throughput"
    description = "Output tokens per second, while there is decode"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "concurrency"
    display_order = 1351
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each rate."""
        return while_busy(run, EffectiveDecodeThroughput)


class ActiveTotalThroughput(BaseLevelMetric):
    """`effective_total_throughput` over the time in which a request was in prefill or decode."""

    tag = "active_total_throughput"
    header = "Active Total Throughput"
    description = "All tokens per second, while there is work"
    unit = "tokens/s"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "concurrency"
    display_order = 1361
    streaming_only = True
    hidden = True

    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time at each rate."""
        return while_busy(run, EffectiveTotalThroughput)


def _sweep(start: Int64, end: Int64, amount: Floats, run: RunColumns) -> Levels | None:
    """Sweep over the requests whose tokens are told: a failed one may not tell them."""
    return time_at_levels(np.where(amount >= 0, start, ABSENT), end, run.window, amount=amount)


def _all_told(batch: RecordBatch, column: npt.NDArray[np.integer]) -> bool:
    ok = batch.outcome == Outcome.OK
    return bool(ok.any() and (column[ok] != ABSENT).all())


def _per_second(tokens: npt.NDArray[np.integer], span_ns: Int64) -> Floats:
    """Tokens per second; below 0 for tokens that are not told, 0 for a span of nothing, which adds to no level."""
    rate: Floats = np.divide(tokens * 1e9, span_ns, out=np.zeros(len(tokens)), where=span_ns > 0)
    return rate
