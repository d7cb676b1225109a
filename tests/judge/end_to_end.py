"""Row 9 of the verdict's figures: the whole way, as a user goes it, on the embedded server.

    python tests/judge/end_to_end.py [--checks N] [--sessions N] [--slow-pct PERCENT]

Records a baseline of five sessions, then checks twenty times against an unchanged server and twenty times against one
that is 10 % slower throughout, one of each in turn. Each of them is a `pytest` process of its own with a server process
of its own; tolerances are the default ones. Prints every outcome and then the row; status 1 when it misses its goal.
About seven minutes, on a machine that does nothing else: what disturbs the server while it waits disturbs the figures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from figure_table import Figure, table

sys.path.append(str(Path(__file__).parents[1] / "real"))
from performance_suite import PerformanceSuite  # found by the line above

SERVER = "mock://?ttft_ms=30&itl_ms=4&jitter=0.1"
LOAD = {"isl": 32, "osl": 12, "concurrency": 32, "request_count": 200}
"""A run of 200 requests of 74 ms takes 0.7 s; 200 are what a p95 takes, so that all default metrics are judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one check ended."""

    verdict: str
    status: int
    """Of pytest."""
    runs: int
    seconds: float
    red: Sequence[str]
    """Metrics that regressed."""


def main() -> int:
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        suite = PerformanceSuite(Path(folder), **LOAD)
        for number in range(1, args.sessions + 1):
            _invoke(suite, f"record {number}", "--aiperf-update=all")
        same: list[Outcome] = []
        slower: list[Outcome] = []
        for number in range(1, args.checks + 1):
            same.append(_invoke(suite, f"check {number}, x1.00"))
            what = f"check {number}, x{1 + args.slow_pct / 100:.2f}"
            slower.append(_invoke(suite, what, slow_pct=args.slow_pct))
    rows = _rows(same, slower, args.slow_pct)
    print("\n" + "\n".join(table(rows)))
    print(f"\nunchanged: {_counts(same)}\nslower: {_counts(slower)}")
    print(f"9 end to end: {_red(same)} of {len(same)} and {_red(slower)} of {len(slower)} regressed")
    return int(not all(row.met for row in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checks", type=int, default=20, help="of each kind (default 20)")
    parser.add_argument("--sessions", type=int, default=5, help="of the baseline (default 5)")
    parser.add_argument("--slow-pct", type=float, default=10.0, help="how much slower is slower (default 10)")
    return parser.parse_args()


def _invoke(suite: PerformanceSuite, what: str, *options: str, slow_pct: float = 0.0) -> Outcome:
    started = time.monotonic()
    ended = suite.run(f"{SERVER}&slow_pct={slow_pct:g}", *options)
    seconds = time.monotonic() - started
    measurement = ended.measurement
    red = {
        row["metric"]: row["change"] for row in measurement["comparisons"] if row["verdict"] == "regressed"
    }
    outcome = Outcome(
        verdict=measurement["verdict"],
        status=ended.status,
        runs=len(ended.runs),
        seconds=seconds,
        red=[name if change is None else f"{name} {change:+.1%}" for name, change in red.items()],
    )
    if outcome.verdict == "regressed" and ended.status != 1:
        raise AssertionError(f"{what}: regressed, and pytest ended with {ended.status}:\n{ended.output}")
    seen = f"exit {outcome.status}, {outcome.runs} runs, {seconds:.1f} s"
    print(f"{what:18} {outcome.verdict:13} {seen}  {', '.join(outcome.red)}".rstrip(), flush=True)
    if outcome.verdict not in ("measured", "pass", "regressed"):
        print(f"    {measurement['reason']}", flush=True)
    return outcome


def _rows(same: Sequence[Outcome], slower: Sequence[Outcome], slow_pct: float) -> Sequence[Figure]:
    return [
        Figure(
            name="9 end to end, unchanged: regressed", count=_red(same), n=len(same), kind="at most", goal=0.0
        ),
        Figure(
            name=f"9 end to end, {slow_pct:g} % slower: regressed",
            count=_red(slower),
            n=len(slower),
            kind="at least",
            goal=1.0,
        ),
    ]


def _red(outcomes: Sequence[Outcome]) -> int:
    return sum(outcome.verdict == "regressed" for outcome in outcomes)


def _counts(outcomes: Sequence[Outcome]) -> str:
    verdicts = ", ".join(f"{n} {name}" for name, n in Counter(o.verdict for o in outcomes).most_common())
    runs = ", ".join(f"{n} x {runs}" for runs, n in sorted(Counter(o.runs for o in outcomes).items()))
    longest, mean = max(o.seconds for o in outcomes), sum(o.seconds for o in outcomes) / len(outcomes)
    return f"{verdicts}; runs {runs}; {mean:.1f} s each, the longest {longest:.1f} s"


if __name__ == "__main__":
    raise SystemExit(main())
