"""An answer of another length is another workload: neither a pass nor a regression."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.baseline.schema import Baseline, Distribution
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.validity import Check
from pytest_aiperf.metrics.tokens import osl_source

LENGTH_METRIC = "output_sequence_length"
_LIMIT = 0.05


def check_length(baseline: Baseline, runs: Sequence[RunData], *, fatal: bool) -> Iterator[Check]:
    """Compare how the answers are counted, and their median length, with the baseline's, where both are known."""
    before, now = judged_sessions(baseline)[-1].environment.osl_source, osl_source(runs[0].batch)
    if before is not None and "absent" not in (before, now):
        yield Check(
            check="osl_source_as_baseline",
            value=float(before != now),
            limit=0.0,
            ok=before == now,
            advice=f"Output tokens come from {now}, the baseline's came from {before}: ITL and token throughput "
            "would compare counts of different things. Record again with --aiperf-update=all.",
            fatal=fatal,
        )
    yield from _check_median(baseline, runs, fatal=fatal)


def _check_median(baseline: Baseline, runs: Sequence[RunData], *, fatal: bool) -> Iterator[Check]:
    before = _baseline_median(baseline)
    lengths = [run.values[LENGTH_METRIC] for run in runs if LENGTH_METRIC in run.values]
    if before is None or not lengths:
        return
    now = float(np.median(np.concatenate(lengths)))
    off = abs(now - before) / before
    yield Check(
        check="osl_as_baseline",
        value=off,
        limit=_LIMIT,
        ok=off <= _LIMIT,
        advice=f"The answers are {now:.0f} tokens long, the baseline's were {before:.0f}: fix the output "
        "length (ignore_eos), or record again with --aiperf-update=all.",
        fatal=fatal,
    )


def _baseline_median(baseline: Baseline) -> float | None:
    found = [run.metrics.get(LENGTH_METRIC) for session in judged_sessions(baseline) for run in session.runs]
    medians = [length.p50 for length in found if isinstance(length, Distribution) and length.p50]
    return float(np.median(medians)) if medians else None
