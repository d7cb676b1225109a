"""Baselines made by hand."""

from __future__ import annotations

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
    power_limit_w=700.0,
)


def run(ttft_ms: float = 300.0) -> Run:
    return Run(
        n_ok=199,
        n_err=1,
        window_s=18.212345678,
        metrics={
            "time_to_first_token": Distribution(
                unit="ms",
                direction="lower",
                count=199,
                avg=ttft_ms * 1.0123456789,
                min=ttft_ms * 0.5,
                max=ttft_ms * 2,
                std=ttft_ms / 3,
                p50=ttft_ms,
                p90=ttft_ms * 1.2,
                p95=ttft_ms * 1.3,
                var_within={"p50": 0.000123456789, "p95": None},
                hist=Histogram(growth=0.01, offset=550, index=(0, 3, 40), count=(100, 98, 1)),
            ),
            "request_throughput": SingleValue(unit="requests/s", direction="higher", value=10.9876543),
        },
        stalls=Stalls(threshold_ms=450.0, count=2),
    )


def session(name: str, *ttfts_ms: float) -> Session:
    return Session(
        id=name,
        runs=tuple(run(t) for t in ttfts_ms or (300.0, 301.0)),
        environment=Environment(client="pytest-aiperf 0.1.0", server="vllm 0.25.0", host="0123456789ab"),
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
