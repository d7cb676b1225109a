"""The examples as a newcomer runs them, against the real server: record, then check."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
DEADLINE_S = 420


def run(folder: Path, url: str, *options: str) -> tuple[subprocess.CompletedProcess[str], list[dict]]:
    command = [sys.executable, "-m", "pytest", "examples", "-p", "no:cacheprovider", "--aiperf-json=out.json"]
    done = subprocess.run(
        [*command, f"--aiperf-endpoint={url}", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done, json.loads((folder / "out.json").read_text())["measurements"]


def test_the_examples_record_and_pass_again(tmp_path, embedding_server):
    shutil.copytree(
        EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", ".*", "__aiperf__")
    )
    recorded, measurements = run(tmp_path, embedding_server, "--aiperf-update")
    assert recorded.returncode == 0, recorded.stdout
    assert len([m for m in measurements if m["stored"]]) >= 7

    checked, measurements = run(tmp_path, embedding_server)
    print(checked.stdout)
    assert checked.returncode == 0, checked.stdout
    assert {m["verdict"] for m in measurements} <= {"pass", "inconclusive", "measured"}
    streamed = [m for m in measurements if m["model"] == "tiny-random" and m["load"]["streaming"]]
    assert {m["osl_source"] for m in streamed} == {"content_messages"}
