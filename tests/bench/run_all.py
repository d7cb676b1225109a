"""Every benchmark of the project's own claims, one after the other, and a table of all their figures at the end.

    python tests/bench/run_all.py [--quick] [--only NAME ...]

Each is a script of its own that can be run alone; it prints its table and, last, one line of JSON. Benchmarks are not
tests: the exit status is 0 whatever the figures are, and 1 where a script failed. Run it on a machine that does nothing
else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from figures import table

SCRIPTS = {
    "fidelity": ("fidelity.py", "--quick"),
    "throughput": ("throughput.py", "--quick"),
    "start": ("start.py", "--quick"),
    "import": ("importing.py", "--quick"),
    "memory": ("memory.py", "--quick"),
    "scale": ("scale.py", "--quick"),
    "open_loop": ("open_loop.py", "--seconds=1"),
    "judge": ("judging.py", "--quick"),
    "record_files": ("record_files.py", "--quick"),
    "summary": ("summary.py", "--quick"),
    "side_by_side": ("side_by_side.py", "--quick"),
}
"""By name: the script, and what makes it shorter."""
LONGEST_S = 1800


def run_script(name: str, *, quick: bool) -> dict[str, Any] | None:
    """Run one, showing what it prints as it comes; returns its JSON, or None if it failed."""
    script, shorter = SCRIPTS[name]
    command = [sys.executable, str(Path(__file__).with_name(script)), *([shorter] if quick else [])]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        deadline = threading.Timer(LONGEST_S, process.kill)
        deadline.start()
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                last = line if line.strip() else last
            status = process.wait()
        finally:
            deadline.cancel()
    if status:
        print(f"{name}: its script ended with status {status}", flush=True)
        return None
    return json.loads(last)


def summary(results: dict[str, dict[str, Any] | None]) -> Sequence[str]:
    """Lines of the last table: the figures that have a goal."""
    rows: list[dict[str, Any]] = []
    for name, result in results.items():
        if result is None:
            rows.append({"name": f"{name}: the script failed", "value": None, "unit": "", "goal": None})
            rows[-1] |= {"met": False, "aiohttp": None}
            continue
        goals = [row for row in result.get("figures", ()) if row["goal"]]
        rows += [row | {"name": f"{name}: {row['name']}"} for row in goals]
    missed = sum(row["met"] is False for row in rows)
    return [*table(rows), "", f"{len(rows) - missed} of {len(rows)} met"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds and requests: a look, not a figure to quote"
    )
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS), metavar="NAME")
    options = parser.parse_args()
    results = {}
    for name in options.only:
        print(f"\n=== {name} ===", flush=True)
        results[name] = run_script(name, quick=options.quick)
    print("\n=== all figures with a goal ===\n")
    print("\n".join(summary(results)))
    return int(None in results.values())


if __name__ == "__main__":
    raise SystemExit(main())
