"""What is left when the runs are over: verdict, checks and figures, put together as one measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pytest_aiperf.measure.measurement import Judgement, Measurement
from pytest_aiperf.measure.provenance import environment_of, timestamps_of
from pytest_aiperf.measure.recording import own_stall_threshold, with_stalls
from pytest_aiperf.measure.request import MeasureRequest
from pytest_aiperf.measure.run_data import pooled_levels, pooled_values
from pytest_aiperf.measure.runs import merge_errors
from pytest_aiperf.measure.sending import sending_of
from pytest_aiperf.measure.side import Side, key_of
from pytest_aiperf.measure.validity import Check


def broken(checks: Sequence[Check], *, shares_are_judged: bool) -> Sequence[Check]:
    """Return the fatal checks that failed; a high error share is none where it is judged anyway."""
    left_to_judge = ("error_share", "truncated_share") if shares_are_judged else ()
    return [c for c in checks if c.fatal and not c.ok and c.check not in left_to_judge]


def or_invalid(judgement: Judgement, checks: Sequence[Check]) -> Judgement:
    """Return the judgement, unless one of these checks makes it invalid."""
    return replace(judgement, verdict="invalid", reason=_explain(checks)) if checks else judgement


def conclude(request: MeasureRequest, side: Side, judgement: Judgement, **known: Any) -> Measurement:
    """Return the measurement of a side; `known` are the fields that its runs do not tell."""
    everything = side.everything
    batches = [data.batch for data in everything]
    facts = batches[0].facts
    threshold_ms = side.maker.stall_threshold_ms or own_stall_threshold(side.sessions[0])
    fields: dict[str, Any] = {"validity": side.maker.checks} | known
    return Measurement(
        test=request.test,
        name=request.name,
        judgement=judgement,
        key=key_of(request, side),
        endpoint=",".join(side.config.endpoint.urls),
        streaming=side.config.endpoint.streaming,
        sessions=[with_stalls(session, threshold_ms) for session in side.sessions],
        pooled=pooled_values(everything),
        levels=pooled_levels(everything),
        errors=merge_errors(batches),
        transport=facts.transport,
        connection_reuse=facts.connection_reuse,
        insecure=facts.insecure,
        proxy=facts.proxy,
        sendings=[[sending_of(data.batch) for data in session] for session in side.sessions],
        timestamps=timestamps_of(batches),
        osl_source=everything[0].columns.osl_source,
        environment=environment_of(batches, request.software),
        **fields,
    )


def _explain(checks: Sequence[Check]) -> str:
    by_name = {check.check: check for check in checks}
    return "\n".join(
        f"{c.check} is {'unknown' if c.value is None else f'{c.value:.3g}'}, allowed is {c.limit:.3g}\n{c.advice}"
        for c in by_name.values()
    )
