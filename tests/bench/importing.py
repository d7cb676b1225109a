"""What the plugin costs a pytest that does not use it: `--collect-only` of one ordinary test, and `--help`.

    python tests/bench/importing.py [--rounds N] [--quick]

With the plugin and without it (`-p no:aiperf`), by turns, a process each time. A figure is the median of the
differences of neighbours, with its 95 % interval from order statistics (no assumption on their shape). Wall time is
what a user waits; CPU time says the same with less noise. Other plugins that are installed are switched off on both
sides. The last figures are without pytest-xdist too, which the package requires and which loads itself.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from math import sqrt
from pathlib import Path
from statistics import median

from compiled import environment
from figures import Figure, publish

WITHOUT = ("-p", "no:aiperf")
XDIST = ("xdist", "xdist.looponfail")
BARE = (*WITHOUT, *(part for name in XDIST for part in ("-p", f"no:{name}")))
OTHERS = {point.name for point in entry_points(group="pytest11")} - {"aiperf", *XDIST}
QUIET = [part for name in sorted(OTHERS) for part in ("-p", f"no:{name}")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One process, in ms."""

    wall_ms: float
    cpu_ms: float


def cost(folder: Path, *arguments: str) -> Cost:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *QUIET, *arguments]
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command} ended with {process.returncode}"
    return Cost(wall_ms=wall_s * 1e3, cpu_ms=(usage.ru_utime + usage.ru_stime) * 1e3)


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the median: the order statistics that a binomial(n, 1/2) lies between."""
    ordered, n = sorted(differences), len(differences)
    low = max(int(n / 2 - 1.96 * sqrt(n) / 2), 0)
    return ordered[low], ordered[n - 1 - low]


def compare(
    folder: Path, rounds: int, what: str, without: Sequence[str], arguments: Sequence[str]
) -> list[Figure]:
    for options in ((), without):
        cost(folder, *options, *arguments)  # writes the .pyc files
    pairs = []
    for number in range(rounds):
        order = ((), without) if number % 2 else (without, ())
        done = {options: cost(folder, *options, *arguments) for options in order}
        pairs.append((done[()], done[tuple(without)]))
    figures = []
    for field in ("wall_ms", "cpu_ms"):
        plugin, bare = ([getattr(pair[i], field) for pair in pairs] for i in (0, 1))
        differences = [a - b for a, b in zip(plugin, bare, strict=True)]
        low, high = interval(differences)
        kind = field.removesuffix("_ms")
        print(
            f"{what:<34} {kind:<5} {median(plugin):>9.1f} {median(bare):>9.1f} {median(differences):>11.2f}"
            f"   {low:.2f} to {high:.2f}",
            flush=True,
        )
        goal = 5.0 if without is WITHOUT else None
        figures.append(Figure(name=f"{what}: {kind}", value=median(differences), unit="ms", at_most=goal))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="8 rounds")
    options = parser.parse_args()
    rounds = 8 if options.quick else options.rounds
    print(f"{'':<34} {'':<5} {'plugin ms':>9} {'without':>9} {'difference':>11}   95 % interval")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_ordinary.py").write_text("def test_ordinary(): pass\n")
        figures = compare(folder, rounds, "--collect-only", WITHOUT, ("--collect-only", "test_ordinary.py"))
        figures += compare(folder, rounds, "--help", WITHOUT, ("--help",))
        figures += compare(
            folder, rounds, "--collect-only, no pytest-xdist", BARE, ("--collect-only", "test_ordinary.py")
        )
    publish("import", figures, rounds=rounds)


if __name__ == "__main__":
    main()
