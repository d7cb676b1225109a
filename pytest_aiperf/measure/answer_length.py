"""Prompts or answers of another length are another workload: neither a pass nor a regression."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from pytest_aiperf.baseline.history import judged_sessions
from pytest_aiperf.baseline.schema import Baseline, Distribution
from pytest_aiperf.measure.run_data import RunData
from pytest_aiperf.measure.validity import Check, Limits
from pytest_aiperf.metrics.tokens import osl_source

_LENGTHS: Final = {
    "osl_as_baseline": (
        "output_sequence_length",
        "The answers are {now:.0f} tokens long, the baseline's were {before:.0f}: fix the output length "
        "(ignore_eos), or record again with --aiperf-update=all.",
    ),
    "isl_as_baseline": (
        "input_sequence_length",
        "The prompts are {now:.0f} tokens long, the baseline's were {before:.0f}, though the same texts were sent: "
        "the server's tokenizer or chat template is another one. Record again with --aiperf-update=all.",
    ),
}


def check_length(
    baseline: Baseline, runs: Sequence[RunData], limits: Limits, *, fatal: bool
) -> Iterator[Check]:
    """Compare how the answers are counted, and median lengths, with the baseline's, where both are known."""
    before, now = judged_sessions(baseline)[-1].environment.osl_source, osl_source(runs[0].batch)
    if before is not None and "absent" not in (before, now):
        yield limits.check(
            "osl_source_as_baseline",
            float(before != now),
            f"Output tokens come from {now}, the baseline's came from {before}: ITL and token throughput "
            "would compare counts of different things. Record again with --aiperf-update=all.",
            fatal=fatal,
        )
    for name, (metric, advice) in _LENGTHS.items():
        old = _baseline_median(baseline, metric)
        lengths = [run.values[metric] for run in runs if metric in run.values and run.values[metric].size]
        if old is None or not lengths:
            continue
        new = float(np.median(np.concatenate(lengths)))
        yield limits.check(name, abs(new - old) / old, advice.format(now=new, before=old), fatal=fatal)


def _baseline_median(baseline: Baseline, metric: str) -> float | None:
    found = [run.metrics.get(metric) for session in judged_sessions(baseline) for run in session.runs]
    medians = [length.p50 for length in found if isinstance(length, Distribution) and length.p50]
    return float(np.median(medians)) if medians else None
