"""How exactly an open loop keeps its schedule: requests sent when they are due, at rates that leave no time to spare.

    python tests/bench/open_loop.py [--rates 500 2000 5000] [--seconds N]

16-token streams from a server that answers at once, one load process, at even times and at Poisson's. Lag is from the
due time of a request to the first byte handed to its socket. Needs `cc`. Prints a table and a JSON line.
"""

from __future__ import annotations

import argparse

import numpy as np
from clients import BODY, load_process
from figures import Figure, publish
from token_server import token_server

from pytest_aiperf.engine.arrivals import arrival_times_ns
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.services.load_process import LoadProcess

TOKENS = 16
PATTERNS = ("constant", "poisson")
ACHIEVED_PCT = 99.0
LAG_P99_MS = 1.0


def measure(load: LoadProcess, url: str, pattern: str, rate: float, seconds: float) -> dict[str, float]:
    """Return requests/s that were offered, sent and answered, the lag in ms and the load process's CPU in percent."""
    due_ns = arrival_times_ns(pattern, rate=rate, seed=1, duration_s=seconds)
    batch = load.run(LoadPlan(url=url, bodies=[BODY] * len(due_ns), due_ns=due_ns))
    assert len(batch) == len(due_ns)
    assert not batch.errors, batch.errors
    lag_ms = (batch.t0 - batch.t_plan) / 1e6
    n = len(batch) * 1e9
    return {
        "offered": n / int(due_ns[-1]),
        "sent": n / int(batch.t0.max()),
        "achieved": n / int(batch.t_end.max()),
        "lag_p50": float(np.percentile(lag_ms, 50)),
        "lag_p99": float(np.percentile(lag_ms, 99)),
        "lag_max": float(lag_ms.max()),
        "cpu": batch.facts.cpu_share * 100,
    }


def row(pattern: str, f: dict[str, float]) -> str:
    share = f["achieved"] / f["offered"] * 100
    lags = " ".join(f"{f[f'lag_{q}']:>6.3f} ms" for q in ("p50", "p99", "max"))
    return f"{pattern:<9} {f['offered']:>9,.0f} {f['sent']:>9,.0f} {share:>7.2f} % {lags} {f['cpu']:>4.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", type=float, nargs="+", default=[500, 2000, 5000])
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    figures = []
    print(
        f"{'pattern':<9} {'offered/s':>9} {'sent/s':>9} {'achieved':>9} {'lag p50':>9} {'p99':>9} {'max':>9} {'CPU':>6}"
    )
    with token_server(TOKENS) as server, load_process() as load:
        measure(load, server.url, "constant", 500, 0.5)
        for pattern in PATTERNS:
            for rate in options.rates:
                f = measure(load, server.url, pattern, rate, options.seconds)
                print(row(pattern, f), flush=True)
                name = f"{pattern}, {rate:,.0f}/s"
                share = f["achieved"] / f["offered"] * 100
                figures += [
                    Figure(name=f"{name}: offered", value=f["offered"], unit="requests/s"),
                    Figure(name=f"{name}: sent", value=f["sent"], unit="requests/s"),
                    Figure(name=f"{name}: achieved of offered", value=share, unit="%", at_least=ACHIEVED_PCT),
                    Figure(name=f"{name}: send lag p50", value=f["lag_p50"], unit="ms"),
                    Figure(name=f"{name}: send lag p99", value=f["lag_p99"], unit="ms", at_most=LAG_P99_MS),
                    Figure(name=f"{name}: send lag max", value=f["lag_max"], unit="ms"),
                ]
    publish("open_loop", figures, tokens=TOKENS, seconds=options.seconds)


if __name__ == "__main__":
    main()
