"""How often does CI cry wolf? Record once, then check again and again: nothing changes, so every red is a false alarm.

Each invocation is a `pytest` of its own. The server is the tiny model, started anew for each one with `--restart`
(as CI does), else once; `--endpoint` takes one that is running already.

    python tests/real/aa_invocations.py --checks 20 --restart
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from llama_process import llama_process
from performance_suite import Invocation, PerformanceSuite

if TYPE_CHECKING:
    from collections.abc import Iterator

Serve = Callable[[], AbstractContextManager[str]]
Runs = Sequence[dict[str, Any]]
STATISTICS = ("p50", "p95", "value")


def main() -> int:
    """Print one line for each invocation, then the tables; 1 if any check was red."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        serve = _server(args, Path(folder), stack)
        suite_folder = Path(folder) / "suite"
        suite_folder.mkdir()
        suite = PerformanceSuite(
            suite_folder,
            isl=args.isl,
            osl=args.osl,
            request_count=args.request_count,
            concurrency=args.concurrency,
        )
        recordings = [_invoke(suite, serve, "record", "--aiperf-update") for _ in range(args.records)]
        checks = [_invoke(suite, serve, "check") for _ in range(args.checks)]
    _print_verdicts(checks)
    _print_noise([*recordings, *checks])
    return int(any(check.measurement["verdict"] == "regressed" for check in checks))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count the false alarms of checks in which nothing changed.")
    parser.add_argument("--records", type=int, default=1, help="invocations that record the baseline")
    parser.add_argument("--checks", type=int, default=20, help="invocations that check against it")
    parser.add_argument("--endpoint", help="URL of a running server instead of the tiny model")
    parser.add_argument("--restart", action="store_true", help="start the server anew for each invocation")
    parser.add_argument("--isl", type=int, default=16)
    parser.add_argument("--osl", type=int, default=64)
    parser.add_argument("--request-count", type=int, default=120)
    parser.add_argument("--concurrency", type=int, default=4)
    return parser.parse_args()


def _server(args: argparse.Namespace, folder: Path, stack: ExitStack) -> Serve:
    """Return what gives each invocation its URL."""
    if args.endpoint:
        return lambda: nullcontext(args.endpoint)
    from tiny_model import write_model

    model = write_model(folder / "tiny.gguf")

    @contextmanager
    def start() -> Iterator[str]:
        with llama_process(model, folder / "server.log", interrupt_requests=False) as url:
            yield url

    if args.restart:
        return start
    url = stack.enter_context(start())
    return lambda: nullcontext(url)


def _invoke(suite: PerformanceSuite, serve: Serve, what: str, *options: str) -> Invocation:
    with serve() as url:
        ended = suite.run(url, *options)
    measurement = ended.measurement
    shown = " ".join(f"{value:.1f}" for value in _values(ended.runs, "time_to_first_token", "p50"))
    print(
        f"{what}: exit {ended.status} {measurement['verdict']}; ttft p50 of its runs {shown} ms", flush=True
    )
    if measurement["verdict"] in ("regressed", "invalid"):
        print(f"    {measurement['reason']}", flush=True)
    return ended


def _print_verdicts(checks: Sequence[Invocation]) -> None:
    verdicts = Counter(check.measurement["verdict"] for check in checks)
    print(f"\n{len(checks)} checks without a change: {verdicts['regressed']} red (regressed)")
    for verdict, count in verdicts.most_common():
        print(f"  {verdict:15} {count}")
    rows: dict[str, list[dict[str, Any]]] = {}
    for check in checks:
        for row in check.measurement["comparisons"]:
            rows.setdefault(row["metric"], []).append(row)
    for metric, found in rows.items():
        changes = [row["change"] for row in found if row["change"] is not None]
        mdes = [row["mde"] for row in found if row["mde"] is not None]
        counts = ", ".join(f"{count} {name}" for name, count in Counter(r["verdict"] for r in found).items())
        print(f"  {metric:32} {counts}; |change| median {_share(changes)}, detectable median {_share(mdes)}")


def _print_noise(invocations: Sequence[Invocation]) -> None:
    """Run-to-run sd is pooled within invocations; the other is the sd of what invocations differ by beyond that."""
    sessions = [ended.runs for ended in invocations if ended.measurement["verdict"] != "invalid"]
    if not sessions:
        return
    print(f"\n{'metric':36} {'median':>10} {'run-to-run sd':>14} {'between invocations':>20}")
    for tag in sessions[0][0]["metrics"]:
        for statistic in STATISTICS:
            values = [_values(runs, tag, statistic) for runs in sessions]
            if any(v.size < 2 or (v <= 0).any() for v in values):
                continue
            within, between = _components([np.log(v) for v in values])
            median = float(np.median(np.concatenate(values)))
            print(f"{tag + '.' + statistic:36} {median:10.2f} {within:14.1%} {between:20.1%}")


def _values(runs: Runs, tag: str, statistic: str) -> np.ndarray:
    found = (run["metrics"].get(tag, {}).get(statistic) for run in runs)
    return np.array([value for value in found if value is not None])


def _components(sessions: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the sd within sessions and that between them, of log values."""
    within = sum(((y - y.mean()) ** 2).sum() for y in sessions) / sum(y.size - 1 for y in sessions)
    if len(sessions) < 2:
        return float(np.sqrt(within)), float("nan")
    of_means = np.var([y.mean() for y in sessions], ddof=1)
    expected = within * np.mean([1 / y.size for y in sessions])
    return float(np.sqrt(within)), float(np.sqrt(max(0.0, of_means - expected)))


def _share(values: Sequence[float]) -> str:
    return f"{np.median(np.abs(values)):.1%}" if values else "unknown"


if __name__ == "__main__":
    raise SystemExit(main())
