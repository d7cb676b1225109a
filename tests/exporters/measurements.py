"""Measurements made by hand, one of each verdict."""

from __future__ import annotations

from dataclasses import replace

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
)
from pytest_aiperf.common.records import ErrorGroup
from pytest_aiperf.measure.measurement import Change, Comparison, Judgement, Measurement
from pytest_aiperf.measure.validity import Check

NODE_ID = "tests/perf/test_chat.py::test_chat[8]"
TTFT = Comparison(
    metric="time_to_first_token.p50",
    label="ttft p50",
    unit="ms",
    verdict="regressed",
    reason="worse by more than the tolerance and by more than noise",
    baseline=300.2,
    now=412.4,
    baseline_half=10.1,
    now_half=12.3,
    change=0.3737,
    ci95=(0.32, 0.43),
    tolerance=0.05,
    mde=0.041,
)
ITL = Comparison(
    metric="inter_token_latency.p50",
    label="itl p50",
    unit="ms",
    verdict="pass",
    reason="within tolerance",
    baseline=9.31,
    now=9.38,
    baseline_half=0.11,
    now_half=0.12,
    change=0.0075,
    ci95=(-0.004, 0.019),
    tolerance=0.05,
    mde=0.03,
)
THROUGHPUT = Comparison(
    metric="request_throughput",
    label="throughput",
    unit="requests/s",
    verdict="regressed",
    reason="worse",
    baseline=20.0,
    now=14.0,
    change=-0.3,
    ci95=(-0.34, -0.26),
    tolerance=0.05,
    mde=0.04,
)
ERRORS = Comparison(
    metric="error_share",
    label="errors",
    unit="share",
    verdict="pass",
    reason="no more",
    baseline=0.0,
    now=0.0,
)
FAILED = ErrorGroup(type="http", code=503, message="the model is overloaded", count=12)


def run() -> Run:
    ttft = Distribution(
        unit="ms",
        direction="lower",
        count=200,
        avg=300.0,
        min=250.0,
        max=380.0,
        std=25.0,
        p50=300.0,
        p90=330.0,
        p95=345.0,
        var_within={"p50": 0.0004},
        # 1.01 ** 573 is 300 ms.
        hist=Histogram(growth=0.01, offset=560, index=(0, 6, 13, 20, 26), count=(10, 50, 80, 50, 10)),
    )
    requests = SingleValue(unit="requests/s", direction="higher", value=20.0)
    return Run(
        n_ok=200,
        n_err=0,
        window_s=10.0,
        metrics={"time_to_first_token": ttft, "request_throughput": requests},
    )


KEY = BaselineKey(
    test=NODE_ID,
    workload="c" * 64,
    load={"mode": "concurrency", "concurrency": 8, "request_count": 200},
    model="m",
)
BASELINE = Baseline(
    key=KEY,
    anchor="a",
    sessions=(
        Session(
            id="a",
            runs=(run(),) * 3,
            environment=Environment(client="pytest-aiperf 0.1.0"),
            recorded=Recorded(at="2026-11-02T10:00:00Z", commit="1a2b3c4d", dirty=False),
        ),
    ),
)
MEASURED = Measurement(
    test=NODE_ID,
    name=None,
    judgement=Judgement(verdict="measured", reason="measured only: no baseline is compared"),
    key=KEY,
    endpoint="http://localhost:8000",
    streaming=True,
    sessions=((run(),) * 3,),
    pooled={
        "time_to_first_token": 400 + 3.0 * np.arange(-20, 21),
        "request_throughput": np.full(3, 20.0),
    },
    validity=(),
    errors=(),
    transport="wire",
    timestamps="kernel",
    osl_source="usage",
    started_at="2026-11-23T00:31:00Z",
    duration_s=61.5,
    environment=Environment(client="pytest-aiperf 0.1.0"),
)


def judged(verdict: str, *comparisons: Comparison, reason: str = "", **changes: object) -> Measurement:
    """Return a measurement that was compared with the baseline."""
    compared = {
        "baseline": BASELINE,
        "baseline_path": "__aiperf__/h100x1/test_chat/test_chat[8]-5d1c09ae.json",
    }
    judgement = Judgement(verdict=verdict, reason=reason, comparisons=comparisons)
    return replace(MEASURED, judgement=judgement, **{**compared, **changes})


REGRESSED = judged("regressed", TTFT, ITL, ERRORS, sessions=((run(),) * 3, (run(),) * 3))
PASSED = judged(
    "pass", replace(TTFT, verdict="pass", now=303.0, change=0.01, ci95=(-0.02, 0.04)), ITL, ERRORS
)
INCONCLUSIVE = judged(
    "inconclusive", replace(TTFT, verdict="inconclusive", change=0.04, ci95=(-0.021, 0.11)), ERRORS
)
FAILING = judged(
    "regressed",
    replace(ERRORS, verdict="regressed", now=0.06, reason="12 of 200 failed"),
    errors=(replace(FAILED, type="timeout", code=None, message="no answer in 300 s", count=3), FAILED),
)
NO_BASELINE = replace(
    MEASURED,
    judgement=Judgement(verdict="no_baseline", reason="there is no baseline yet"),
    baseline_path="__aiperf__/default/test_chat/test_chat[8]-5d1c09ae.json",
    osl_source="content_messages",
)
NOT_COMPARABLE = judged("not_comparable", reason="the baseline is not comparable: concurrency was 4, is 8")
INVALID = judged(
    "invalid",
    reason="client_cpu_share is 0.99, allowed is 0.85. The load process itself is the bottleneck.",
    validity=(
        Check(check="client_cpu_share", value=0.99, limit=0.85, ok=False, advice="Use a faster machine."),
        Check(
            check="osl_as_asked", value=0.25, limit=0.05, ok=False, advice="The output is short.", fatal=False
        ),
    ),
)
CHANGED = replace(
    REGRESSED,
    changes=(
        Change(name="server", before="vllm 0.24.1", now="vllm 0.25.0"),
        Change(name="driver", before="575.51.03", now="580.65.06"),
        Change(name="host", before="the baseline's", now="another machine"),
        Change(name="timestamps", before="kernel", now="user"),
    ),
)
CREPT = judged(
    "regressed",
    replace(TTFT, verdict="pass", baseline=320.3, now=324.4, change=0.0128, ci95=(-0.011, 0.031)),
    ITL,
    ERRORS,
    replace(
        TTFT, label="ttft p50 since 2026-11-02", against="anchor", now=324.4, change=0.0806, ci95=(0.061, 0.1)
    ),
)
PAIRED = judged(
    "regressed",
    TTFT,
    ITL,
    ERRORS,
    against="http://localhost:8001",
    baseline_path=None,
    changes=(Change(name="model", before="llama-a", now="llama-b"),),
)
ALL = {
    "regressed": REGRESSED,
    "pass": PASSED,
    "inconclusive": INCONCLUSIVE,
    "errors": FAILING,
    "no_baseline": NO_BASELINE,
    "not_comparable": NOT_COMPARABLE,
    "invalid": INVALID,
    "measured": MEASURED,
}
