"""How long a verdict takes: one metric, 8 runs on either side, percentiles with their variances within the runs.

    python tests/bench/judging.py [--rounds N] [--quick]

The first verdict of a process imports scipy.special, and is shown beside the later ones. The import goes on while the
load runs where a measurement is made by the plugin; here nothing else does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from statistics import median

import numpy as np
from figures import Figure, publish

from pytest_aiperf.judge import Policy, RunStat, judge

RUNS = 8
FIRST = """
import time
began = time.perf_counter()
from pytest_aiperf.judge import Policy, RunStat, judge
runs = [RunStat(value=100 + k, n_ok=200, var_within=1e-4) for k in range(8)]
judge([runs], [runs], Policy(relation="same_host"), look=2)
print(time.perf_counter() - began)
"""


def session(rng: np.random.Generator) -> list[RunStat]:
    return [
        RunStat(value=100 * float(np.exp(rng.normal(0, 0.03))), n_ok=200, var_within=1e-4)
        for _ in range(RUNS)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    options = parser.parse_args()
    rounds = options.rounds // 10 if options.quick else options.rounds
    rng, policy = np.random.default_rng(1), Policy(relation="same_host")
    took_ms = []
    for _ in range(rounds + 1):
        baseline, candidate = [session(rng)], [session(rng)]
        began = time.perf_counter()
        judge(baseline, candidate, policy, look=len(policy.looks) - 1)
        took_ms.append((time.perf_counter() - began) * 1e3)
    later_ms = took_ms[1:]
    first = subprocess.run([sys.executable, "-c", FIRST], stdout=subprocess.PIPE, check=True, timeout=60)
    figures = [
        Figure(name="one metric, 8 runs: median", value=median(later_ms), unit="ms", at_most=10),
        Figure(
            name="one metric, 8 runs: p99", value=float(np.percentile(later_ms, 99)), unit="ms", at_most=10
        ),
        Figure(
            name="first verdict of a process, imports included", value=float(first.stdout) * 1e3, unit="ms"
        ),
    ]
    publish("judge", figures, rounds=rounds)


if __name__ == "__main__":
    main()
