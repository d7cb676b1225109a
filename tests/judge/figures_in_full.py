"""How often the verdict is wrong, in full: ``tox -e stats``, or ``python tests/judge/figures_in_full.py``.

Prints every figure beside its goal, with its 95 % interval, and ends with status 1 when a goal is missed. Rows 1 to 8
are those that the verdict promises; drift, creep, calibration and ending early follow; row 9, last, plays whole
measurements against the embedded server and takes minutes. Figures in brackets are there to compare and judge nothing.
All are seeded: the same command prints the same figures. Small versions of most run with the tests.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from pathlib import Path

import detectable
from figure_table import table

N = 10_000
"""Comparisons a figure rests on."""
PROMISED_CPU_S = 120
PROMISES = "rows 1 to 8"
PARTS = [
    (PROMISES, "verdict_figures", "row_1", {}),
    (PROMISES, "verdict_figures", "row_2", {}),
    (PROMISES, "verdict_figures", "row_3", {}),
    (PROMISES, "verdict_figures", "row_4", {}),
    (PROMISES, "verdict_figures", "row_4_without_confirmation", {}),
    (PROMISES, "verdict_figures", "row_5", {}),
    (PROMISES, "verdict_figures", "row_6", {}),
    (PROMISES, "verdict_figures", "row_7", {}),
    (PROMISES, "rival_figures", "alarms", {"endpoint": "quiet"}),
    (PROMISES, "rival_figures", "power", {"endpoint": "quiet"}),
    (PROMISES, "rival_figures", "alarms", {"endpoint": "noisy", "times": 4}),
    (PROMISES, "rival_figures", "power", {"endpoint": "noisy"}),
    ("drift", "drift_figures", "no_drift", {}),
    ("drift", "drift_figures", "abba_order", {}),
    ("drift", "drift_figures", "found_under_drift", {}),
    ("drift", "drift_figures", "other_orders", {}),
    ("creep", "creep_figures", "stable_history", {}),
    ("creep", "creep_figures", "creep_called", {"metrics": 1}),
    ("creep", "creep_figures", "creep_called", {"metrics": 3}),
    ("creep", "creep_figures", "other_creeps", {}),
    ("creep", "creep_figures", "slower_at_once", {"slower": 1.1}),
    ("creep", "creep_figures", "slower_at_once", {"slower": 1.1, "metrics": 3}),
    ("calibration", "calibration_figures", "worth", {"tau": 0.003, "stored": 1, "slower": 1.1}),
    ("calibration", "calibration_figures", "worth", {"tau": 0.003, "stored": 3, "slower": 1.08}),
    ("calibration", "calibration_figures", "worth", {"tau": 0.04, "stored": 1}),
    ("calibration", "calibration_figures", "worth", {"tau": 0.04, "stored": 3}),
    ("calibration", "calibration_figures", "advice_comes_true", {"tau": 0.003, "wanted": 0.08}),
    ("calibration", "calibration_figures", "advice_comes_true", {"tau": 0.01, "wanted": 0.08}),
    ("calibration", "calibration_figures", "advice_comes_true", {"tau": 0.04, "wanted": 0.25}),
    ("calibration", "calibration_figures", "found_after_calibrating", {"tau": 0.01}),
    ("calibration", "calibration_figures", "found_after_calibrating", {"tau": 0.03}),
    ("calibration", "calibration_figures", "found_after_calibrating", {"tau": 0.01, "calibrated_from": 5}),
    ("calibration", "calibration_figures", "found_after_calibrating", {"tau": 0.03, "calibrated_from": 5}),
    *(
        (
            "calibration",
            "calibration_figures",
            "calibrated_on_quieter_days",
            {"then": 0.003, "now": 0.015, "stored": stored},
        )
        for stored in (1, 3)
    ),
    ("ending early", "verdict_figures", "ending_early", {}),
]
"""Group, module, function, and what it takes besides the number of comparisons."""


def play(part, n):
    """The figures of a part and the CPU seconds that they took."""
    _, module, function, options = part
    began = time.process_time()
    figures = getattr(importlib.import_module(module), function)(n, **options)
    return figures, time.process_time() - began


def end_to_end():
    """Row 9 by its own script; its exit status."""
    print("\n=== row 9, end to end ===\n", flush=True)
    return subprocess.run([sys.executable, str(Path(__file__).with_name("end_to_end.py"))]).returncode


def simulations(n):
    """Print the figures group by group; how many missed their goal."""
    missed = 0
    with ProcessPoolExecutor(min(len(PARTS), os.cpu_count() or 1)) as pool:
        played = zip(PARTS, pool.map(play, PARTS, [n] * len(PARTS)), strict=True)
        for group, parts in groupby(played, key=lambda one: one[0][0]):
            figures, cpu_s = [], 0.0
            for _, (found, seconds) in parts:
                figures += found
                cpu_s += seconds
            print(f"\n=== {group} ===\n\n" + "\n".join(table(figures)))
            limit = f"; goal: at most {PROMISED_CPU_S} s" if group == PROMISES else ""
            print(f"\n{cpu_s:.0f} CPU seconds{limit}", flush=True)
            missed += sum(figure.judged and figure.met is False for figure in figures)
    return missed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=N, help=f"comparisons a figure rests on (default {N})")
    parser.add_argument(
        "--without-end-to-end", action="store_true", help="leave out row 9, which takes minutes"
    )
    options = parser.parse_args()
    missed = simulations(options.n)
    print("\n=== detectable ===\n", *detectable.rows(), sep="\n", flush=True)
    if not options.without_end_to_end:
        missed += end_to_end() != 0
    print(f"\n{missed} missed" if missed else "\nevery goal met")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
