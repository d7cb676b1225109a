"""Baselines made by hand."""

from __future__ import annotations

import numpy as np

from pytest_aiperf.baseline.schema import (
    Baseline,
    BaselineKey,
    Distribution,
    Environment,
    Histogram,
    Recorded,
    Run,
    Session,
    SingleValue,
    Stalls,
    Variance,
)
from pytest_aiperf.judge.histogram import log_histogram
from pytest_aiperf.judge.run_summary import run_stats

KEY = BaselineKey(
    test="tests/perf/test_chat.py::test_chat[8]",
    workload="c2e71f40" * 8,
    load={
        "mode": "concurrency",
        "concurrency": 8,
        "request_count": 200,
        "isl": 512,
        "osl": 128,
        "streaming": True,
    },
    model="meta-llama/Llama-3.1-8B",
    accelerator="NVIDIA H100 80GB HBM3",
    accelerator_count=1,
    accelerator_memory_bytes=85520809984,
    accelerator_mig="undivided",
    power_limit_w=700.0,
)


ENVIRONMENT = Environment(
    client="pytest-aiperf 0.1.0",
    python="3.12.4",
    server="vllm 0.25.0",
    driver="580.65.06",
    cuda="13.0",
    host="0123456789ab",
    transport="wire",
    timestamps="kernel",
    osl_source="usage",
)
_SPREAD = np.repeat([0.5, 1.0, 1.2, 1.3, 2.0], [10, 100, 60, 28, 1])
N_ERR = 1


def ttft_of(values: np.ndarray, *, n_err: int = N_ERR) -> Distribution:
    """Return what a run stores of these values, by the functions with which it does."""
    names = ["p50", "p90", "p95"]
    stats = run_stats(values, names, n_err=n_err, failed_as_inf=True)
    return Distribution(
        unit="ms",
        direction="lower",
        count=len(values),
        avg=float(values.mean()),
        min=float(values.min()),
        max=float(values.max()),
        std=abs(float(values.mean())) / 3,
        var_within={"p50": 0.000123456789, "p95": None},
        hist=Histogram(**log_histogram(values).to_dict()),
        **{name: None if np.isinf(stats[name].value) else stats[name].value for name in names},
    )


def run(ttft_ms: float = 300.0) -> Run:
    return Run(
        n_ok=199,
        n_err=N_ERR,
        window_s=18.212345678,
        metrics={
            "time_to_first_token": ttft_of(ttft_ms * _SPREAD),
            "request_throughput": SingleValue(unit="requests/s", direction="higher", value=10.9876543),
        },
        stalls=Stalls(threshold_ms=450.0, count=2),
    )


def session(name: str, *ttfts_ms: float) -> Session:
    return Session(
        id=name,
        runs=tuple(run(t) for t in ttfts_ms or (300.0, 301.0)),
        environment=ENVIRONMENT,
        recorded=Recorded(at="2026-11-23T00:31:00Z", commit="1a2b3c4d", dirty=False),
    )


def baseline(*sessions: Session) -> Baseline:
    stored = sessions or (session("first"), session("second", 302.0))
    return Baseline(
        key=KEY,
        anchor=stored[0].id,
        variance={"time_to_first_token.p50": Variance(run_sd=0.019, tau=0.012, df=4)},
        sessions=stored,
    )
