"""The same input gives the same bytes: again, in another order, in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from itertools import permutations
from pathlib import Path

import pytest

from pytest_aiperf.judge import (
    MetricSamples,
    Policy,
    RunStat,
    confirm_metrics,
    judge_errors,
    judge_metrics,
    judge_stalls,
)

PAIRED, STORED = Policy(relation="paired"), Policy(floor=0.5)


def session(*values, var_within=1e-4):
    return [RunStat(value, 200, var_within) for value in values]


BEFORE = [session(100.0, 101.3, 99.1, 100.7), session(99.2, 100.9), session(100.1, 98.8, 101.7)]
FLAT = [session(7.0, 7.0, 7.0)]
EXACT = Policy(deterministic=True)
SAMPLES = {
    "ttft.p50": MetricSamples(baseline=BEFORE, candidate=[session(107.3, 108.9, 106.1)], policy=STORED),
    "itl.p50": MetricSamples(baseline=BEFORE, candidate=[session(131.0, 129.4, 133.0)], policy=STORED),
    "latency.p95": MetricSamples(baseline=BEFORE, candidate=[session(131.0, 129.4, 133.0)], policy=STORED),
    "tokens": MetricSamples(baseline=FLAT, candidate=[session(8.0, 8.0)], policy=EXACT),
    "more tokens": MetricSamples(baseline=FLAT, candidate=[session(9.0, 9.0)], policy=EXACT),
}
"""Two metrics are equal, and two have a p-value of 0: nothing but their names can put those in an order."""
SECOND = {name: [*one.candidate[0]] for name, one in SAMPLES.items()}


def as_bytes(names):
    samples = {name: SAMPLES[name] for name in names}
    decisions = judge_metrics(samples) | {
        f"{name} again": one for name, one in confirm_metrics(samples, SECOND).items()
    }
    decisions["stalls"] = judge_stalls([[(1, 200), (0, 180)]], [[(7, 200), (9, 210)]])
    decisions["errors"] = judge_errors((600, 1), (580, 20))
    return json.dumps(
        {name: asdict(one) for name, one in decisions.items()}, sort_keys=True, allow_nan=False
    ).encode()


def test_again():
    assert as_bytes(SAMPLES) == as_bytes(SAMPLES)


def test_in_another_order_of_metrics():
    assert {as_bytes(names) for names in permutations(SAMPLES)} == {as_bytes(SAMPLES)}


def test_in_another_order_of_runs_and_sessions():
    backwards = {
        name: MetricSamples(
            baseline=[runs[::-1] for runs in one.baseline[::-1]],
            candidate=[runs[::-1] for runs in one.candidate],
            policy=one.policy,
        )
        for name, one in SAMPLES.items()
    }
    assert judge_metrics(backwards) == judge_metrics(SAMPLES)
    stalls = [[(7, 200), (9, 210)], [(3, 190)]]
    turned = [runs[::-1] for runs in stalls[::-1]]
    assert judge_stalls([[(1, 200)]], turned) == judge_stalls([[(1, 200)]], stalls)


@pytest.mark.parametrize("seed", ["1", "4242"])
def test_in_another_process_with_another_hash_seed(seed):
    """This file is the program: run as a script it prints the bytes."""
    other = subprocess.run(
        [sys.executable, __file__],
        env={"PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path]), "PYTHONHASHSEED": seed},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert other.stdout == as_bytes(SAMPLES)


if __name__ == "__main__":
    sys.stdout.buffer.write(as_bytes(sorted(SAMPLES, key=hash)))
