"""Every example runs: in quick mode here; `tox -e real` records and checks them against a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_example_runs(tmp_path):
    shutil.copytree(
        EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", ".*", "__aiperf__")
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "examples",
        "--aiperf-mode=quick",
        "--aiperf-json=out.json",
        "-ra",
    ]
    done = subprocess.run(
        [*command, "--aiperf-endpoint=mock://?ttft_ms=20&itl_ms=2&osl=32"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
    document = json.loads((tmp_path / "out.json").read_text())
    measured = {m["test"].partition("::")[0].rpartition("/")[2] for m in document["measurements"]}
    assert measured == {path.name for path in EXAMPLES.glob("test_*.py")}
