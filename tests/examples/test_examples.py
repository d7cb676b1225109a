"""Every example runs: in quick mode here; `tox -e real` records and checks them against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ANY_NOISE = (
    "--aiperf-validity=schedule_lag_share:1,littles_law:1,turnaround_p99_ms:9999,loop_lag_p99_ms:9999,"
    "late_start_ms:9999,client_cpu_share:9"
)
"""Whether an example runs is no matter of how busy the machine is."""
MOCK = "--aiperf-endpoint=mock://?ttft_ms=20&itl_ms=2&osl=32"


@pytest.fixture
def run(tmp_path):
    """Run pytest with options in a copy of the examples, in quick mode; return its output and the result document."""
    shutil.copytree(
        EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", ".*", "__aiperf__")
    )
    (tmp_path / "temporary").mkdir()

    def run(*options: str) -> tuple[str, dict]:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-ra",
            "--aiperf-mode=quick",
            "--aiperf-json=out.json",
            ANY_NOISE,
        ]
        done = subprocess.run(
            [*command, *options],
            cwd=tmp_path / "examples",
            env={
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("AIPERF_", "PYTEST_"))
            }
            | {"TMPDIR": str(tmp_path / "temporary")},
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "skipped" not in done.stdout
        return done.stdout, json.loads((tmp_path / "examples" / "out.json").read_text())

    return run


def server_logs(tmp_path):
    """The log of each `ServerProcess` that was started."""
    return list((tmp_path / "temporary").glob("aiperf-server-*.log"))


def test_every_example_runs_and_an_endpoint_that_is_given_starts_no_server(run, tmp_path):
    _, document = run(MOCK)
    measured = {m["test"].partition("::")[0] for m in document["measurements"]}
    assert measured == {path.name for path in EXAMPLES.glob("test_*.py")}
    assert server_logs(tmp_path) == []


def test_a_fixture_starts_a_server_where_no_endpoint_is_given(run, tmp_path):
    run("test_own_server.py")
    (log,) = server_logs(tmp_path)
    assert log.read_text().startswith("listening on http://127.0.0.1:")


def test_two_workers_share_one_server(run, tmp_path):
    _, document = run("-n2", "one_server")
    assert len(document["measurements"]) == 2
    assert len(server_logs(tmp_path)) == 1


def test_a_configuration_file_describes_the_load(run):
    _, document = run("--aiperf-config=config_file/aiperf.yaml", "config_file")
    loads = [m["load"] for m in document["measurements"]]
    assert [(load["concurrency"], load["osl"], load["isl"]) for load in loads] == [(4, 32, 64), (8, 32, 64)]


def test_every_example_is_shown_in_the_docs():
    shown = {
        name
        for page in (ROOT / "docs").glob("*.md")
        for name in re.findall(r"{literalinclude} \.\./examples/(\S+)", page.read_text())
    }
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py") if path.stat().st_size} | {
        f"ci/{path.name}" for path in (EXAMPLES / "ci").iterdir()
    }
    hidden = {name for name in files if "__pycache__" in name or "/." in f"/{name}"}
    assert files - hidden == {name for name in shown if not name.endswith((".toml", ".yaml", ".jsonl"))}
