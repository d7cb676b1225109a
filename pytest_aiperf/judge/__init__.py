"""The verdict as pure functions: run summaries in, decisions out.

Names are resolved on first use (PEP 562): whoever only needs the data types of
:mod:`pytest_aiperf.judge.samples` does not pay for numpy and scipy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_aiperf.judge.advice import Option, advise, planned_mde
    from pytest_aiperf.judge.calibration import Calibration, calibrate, calibrated, replay
    from pytest_aiperf.judge.confirmation import confirm, confirm_metrics
    from pytest_aiperf.judge.error_gate import error_totals, judge_errors
    from pytest_aiperf.judge.gate import judge
    from pytest_aiperf.judge.histogram import LogHistogram, log_histogram
    from pytest_aiperf.judge.holm import MetricSamples, judge_metrics
    from pytest_aiperf.judge.interval import run_interval
    from pytest_aiperf.judge.run_summary import min_requests, run_stat
    from pytest_aiperf.judge.samples import Decision, Policy, RunStat
    from pytest_aiperf.judge.stall_gate import judge_stalls, stall_threshold
    from pytest_aiperf.judge.verdict import another_look, combine, limit_mde

_HOMES = {
    "Calibration": "calibration",
    "Decision": "samples",
    "LogHistogram": "histogram",
    "MetricSamples": "holm",
    "Option": "advice",
    "Policy": "samples",
    "RunStat": "samples",
    "advise": "advice",
    "another_look": "verdict",
    "calibrate": "calibration",
    "calibrated": "calibration",
    "combine": "verdict",
    "confirm": "confirmation",
    "confirm_metrics": "confirmation",
    "error_totals": "error_gate",
    "judge": "gate",
    "judge_errors": "error_gate",
    "judge_metrics": "holm",
    "judge_stalls": "stall_gate",
    "limit_mde": "verdict",
    "log_histogram": "histogram",
    "min_requests": "run_summary",
    "planned_mde": "advice",
    "replay": "calibration",
    "run_interval": "interval",
    "run_stat": "run_summary",
    "stall_threshold": "stall_gate",
}

__all__ = [
    "Calibration",
    "Decision",
    "LogHistogram",
    "MetricSamples",
    "Option",
    "Policy",
    "RunStat",
    "advise",
    "another_look",
    "calibrate",
    "calibrated",
    "combine",
    "confirm",
    "confirm_metrics",
    "error_totals",
    "judge",
    "judge_errors",
    "judge_metrics",
    "judge_stalls",
    "limit_mde",
    "log_histogram",
    "min_requests",
    "planned_mde",
    "replay",
    "run_interval",
    "run_stat",
    "stall_threshold",
]


def __getattr__(name: str) -> object:
    """Import a public name from its home when it is first used."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
