"""How often does CI cry wolf? Record once, then check again and again: nothing changes, so every red is a false alarm.

Each invocation is a `pytest` of its own. The server is the tiny model, started anew for each one with `--restart`
(as CI does), else once; `--endpoint` takes one that is running already. Last come how much its runs and sessions vary
and what that lets a check find, as `pytest-aiperf calibrate` works them out.

    python tests/real/aa_invocations.py --checks 20 --restart
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from llama_process import llama_process
from performance_suite import Invocation, PerformanceSuite

from pytest_aiperf.baseline.schema import Session
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.tolerance import Tolerance
from pytest_aiperf.judge.advice import planned_mde
from pytest_aiperf.judge.calibration import calibrate
from pytest_aiperf.measure.judged import JudgedMetric, policy_of, run_value
from pytest_aiperf.measure.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator

Serve = Callable[[], AbstractContextManager[str]]
VERDICTS = {"regressed": "red (regressed)", "inconclusive": "inconclusive", "pass": "pass"}
STORED = (1, 3, 5)
"""Sizes of a baseline, in sessions, for which the smallest detectable change is printed."""


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
    parser.add_argument("--records", type=int, default=3, help="invocations that record the baseline")
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
    seen = f"exit {ended.status} {measurement['verdict']}; ttft p50 of its runs {_ttft_p50(ended)} ms"
    print(f"{what}: {seen}", flush=True)
    if measurement["verdict"] in ("regressed", "inconclusive", "invalid"):
        print(f"    {measurement['reason']}", flush=True)
    return ended


def _print_verdicts(checks: Sequence[Invocation]) -> None:
    verdicts = Counter(check.measurement["verdict"] for check in checks)
    seen = ", ".join(f"{verdicts.pop(name, 0)} {word}" for name, word in VERDICTS.items())
    others = "".join(f", {count} {name}" for name, count in verdicts.items())
    print(f"\n{len(checks)} checks without a change: {seen}{others}")
    rows: dict[str, list[dict[str, Any]]] = {}
    for check in checks:
        for row in check.measurement["comparisons"]:
            name = row["metric"] if row["against"] == "baseline" else f"{row['metric']} ({row['against']})"
            rows.setdefault(name, []).append(row)
    for metric, found in rows.items():
        changes = [abs(row["change"]) for row in found if row["change"] is not None]
        mdes = [row["mde"] for row in found if row["mde"] is not None]
        counts = ", ".join(f"{count} {name}" for name, count in Counter(r["verdict"] for r in found).items())
        print(
            f"  {metric:34} {counts}; |change| median {_median(changes)}, MDE stated, median {_median(mdes)}"
        )


def _print_noise(invocations: Sequence[Invocation]) -> None:
    """What `pytest-aiperf calibrate` would say of these sessions: each invocation's first one is one."""
    measurements = [one.measurement for one in invocations if one.measurement["verdict"] != "invalid"]
    if not measurements:
        return
    sessions = [Session.model_validate(one["sessions"][0]) for one in measurements]
    terms = Terms(**{key: _tuple(value) for key, value in measurements[-1]["terms"].items()})
    stored = "".join(f" {f'of {n}':>7}" for n in STORED)
    print(
        f"\n{len(sessions)} sessions; MDE of a check of {terms.looks[0]} runs against a baseline of so many sessions"
    )
    print(f"{'metric':34} {'value':>10} {'run sd':>7} {'tau':>7}{stored}")
    for judged in measurements[-1]["judged"]:
        print(_noise_of(judged, sessions, terms), flush=True)


def _noise_of(judged: dict[str, Any], sessions: Sequence[Session], terms: Terms) -> str:
    tag, _, statistic = judged["metric"].partition(".")
    tolerance = Tolerance(relative=judged["tolerance"], floor=judged["floor"])
    metric = JudgedMetric(tag=tag, statistic=statistic or "value", tolerance=tolerance)
    policy = policy_of(metric, terms, relation="same_host")
    try:
        found = calibrate([[run_value(run, metric) for run in one.runs] for one in sessions], policy)
    except ConfigurationError as error:
        return f"{metric.name:34} {error}"
    mdes = [planned_mde(found, policy, runs=terms.looks[0], sessions=stored) for stored in STORED]
    shares = "".join(f" {share:7.1%}" for share in (found.run_sd, found.tau, *mdes))
    return f"{metric.name:34} {found.value:10.2f}{shares}"


def _ttft_p50(ended: Invocation) -> str:
    found = (run["metrics"].get("time_to_first_token", {}).get("p50") for run in ended.runs)
    return " ".join(f"{value:.1f}" for value in found if value is not None)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _median(shares: Sequence[float]) -> str:
    return f"{median(shares):.1%}" if shares else "unknown"


if __name__ == "__main__":
    raise SystemExit(main())
