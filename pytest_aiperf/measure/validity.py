"""Is this a measurement at all? Every check states its value, its limit and what to do when it fails.

An invalid run is never a pass and never a regression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_aiperf.common.records import Outcome
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.run_data import RunData


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to a run. `fatal` ones make it invalid, the others are warnings."""

    check: str
    value: float | None
    limit: float
    ok: bool
    advice: str
    fatal: bool = True

    def to_builtin(self) -> dict[str, Any]:
        """Return the row of the result document."""
        return {
            "check": self.check,
            "value": self.value,
            "limit": self.limit,
            "ok": self.ok,
            "advice": self.advice,
        }


def check_run(run: RunData, config: AIPerfConfig) -> Sequence[Check]:
    """Return every check of one run, in a fixed order."""
    return [check for question in _QUESTIONS for check in question(run, config)]


def _complete(run: RunData, config: AIPerfConfig) -> Iterator[Check]:
    facts = run.batch.facts
    share = len(run.batch) / facts.planned if facts.planned else 1.0
    why = f" ({facts.cut_short})" if facts.cut_short else ""
    yield Check(
        check="complete",
        value=share,
        limit=1.0,
        ok=share >= 1.0 and facts.cut_short is None,
        advice=f"The run was cut short{why}: raise the time limits or lower request_count.",
    )


def _errors(run: RunData, config: AIPerfConfig) -> Iterator[Check]:
    outcome = run.batch.outcome[run.inside]
    total = max(len(outcome), 1)
    errors = float(np.count_nonzero(outcome == Outcome.ERROR) / total)
    truncated = float(np.count_nonzero(outcome == Outcome.TRUNCATED) / total)
    yield Check(
        check="error_share",
        value=errors,
        limit=0.05,
        ok=errors <= 0.05,
        advice="Survivors of a failing server are no latency sample: look at the errors first.",
    )
    yield Check(
        check="truncated_share",
        value=truncated,
        limit=0.05,
        ok=truncated <= 0.05,
        advice="Streams ended without finish_reason or [DONE]: the server or a proxy cuts them.",
    )


def _osl(run: RunData, config: AIPerfConfig) -> Iterator[Check]:
    lengths = run.values.get("output_sequence_length")
    if lengths is None or not lengths.size:
        return
    off = abs(float(np.median(lengths)) - config.input.osl) / config.input.osl
    yield Check(
        check="osl_as_asked",
        value=off,
        limit=0.05,
        ok=off <= 0.05,
        advice=f"The median output is {np.median(lengths):.0f} tokens, asked for were {config.input.osl}: make the "
        "server generate to the end (extra_inputs={'ignore_eos': True} on vLLM and SGLang), or ask for what it gives.",
        fatal=False,
    )


def _client(run: RunData, config: AIPerfConfig) -> Iterator[Check]:
    facts = run.batch.facts
    yield Check(
        check="client_cpu_share",
        value=facts.cpu_share,
        limit=0.85,
        ok=facts.cpu_share <= 0.85,
        advice="The load process itself is the bottleneck: lower the concurrency or use a faster machine.",
    )
    turnaround_ms, limit_ms = _turnaround_p99_ms(run), _turnaround_limit_ms(run)
    yield Check(
        check="turnaround_p99_ms",
        value=turnaround_ms,
        limit=limit_ms,
        ok=turnaround_ms is None or turnaround_ms <= limit_ms,
        advice="The load process was late to refill its slots: something else uses this machine's CPUs.",
        fatal=False,
    )


def _clock(run: RunData, config: AIPerfConfig) -> Iterator[Check]:
    facts = run.batch.facts
    limit_ms = 1.0 + 500e-6 * facts.end_ns / 1e6
    shift_ms = abs(facts.clock_shift_ns) / 1e6
    yield Check(
        check="clock_step_ms",
        value=shift_ms,
        limit=limit_ms,
        ok=shift_ms <= limit_ms,
        advice="The clock was stepped during the run: let time synchronisation settle, then measure again.",
    )


def _littles_law(run: RunData, config: AIPerfConfig) -> Iterator[Check]:
    busy_ns = (
        np.minimum(run.batch.t_end, run.window.end_ns) - np.maximum(run.batch.t0, run.window.start_ns)
    ).clip(0)
    length_ns = run.window.end_ns - run.window.start_ns
    if length_ns <= 0:
        return
    in_flight = float(busy_ns.sum() / length_ns)
    off = abs(config.load.concurrency - in_flight) / config.load.concurrency
    yield Check(
        check="littles_law",
        value=off,
        limit=0.05,
        ok=off <= 0.05,
        advice=f"On average {in_flight:.2f} requests were in flight, not {config.load.concurrency}: "
        "slots stood empty, so the load was not what was asked for.",
    )


def _coalesced(run: RunData, config: AIPerfConfig) -> Iterator[Check]:
    messages = int(run.batch.content_count()[run.inside].sum())
    if not config.endpoint.streaming or not messages:
        return
    share = float(run.batch.coalesced[run.inside].sum()) / messages
    yield Check(
        check="coalesced_share",
        value=share,
        limit=0.5,
        ok=share <= 0.5,
        advice="Most messages came several to a read: the server or a proxy buffers the stream, "
        "so TTST and inter-chunk times say little (TTFT and ITL are not affected).",
        fatal=False,
    )


_QUESTIONS: Sequence[Callable[[RunData, AIPerfConfig], Iterator[Check]]] = (
    _complete,
    _errors,
    _osl,
    _client,
    _clock,
    _littles_law,
    _coalesced,
)


def _turnaround_p99_ms(run: RunData) -> float | None:
    """p99 over slots of the time from the end of a request to the next send; None with one request per slot."""
    batch = run.batch
    order = np.lexsort((batch.t0, batch.slot))
    same = batch.slot[order][1:] == batch.slot[order][:-1]
    gaps = (batch.t0[order][1:] - batch.t_end[order][:-1])[same]
    return float(np.percentile(gaps, 99)) / 1e6 if gaps.size else None


def _turnaround_limit_ms(run: RunData) -> float:
    latency = run.values.get("request_latency")
    return max(1.0, 0.02 * float(np.median(latency))) if latency is not None and latency.size else 1.0
