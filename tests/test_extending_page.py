"""What docs/extending.md says is done: in a copy of the tree, file by file, and then it is used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(
    r"```python\n# (\S+?)(, in (\w+))?\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(), re.DOTALL
)
DEADLINE_S = 120
ANY_NOISE = "--aiperf-validity=littles_law:1,turnaround_p99_ms:9999,loop_lag_p99_ms:9999,steady_state:1"
USE = """
    import pytest

    @pytest.mark.aiperf(endpoint_type="loud_chat", concurrency=2, isl=8, osl=4, request_count=20)
    def test_all_three(aiperf):
        result = aiperf.run(greeting="hello", judge=False)
        assert 0 < result.patience_share.p50 < 1
"""


def in_class(text: str, name: str, block: str) -> str:
    """The module with a block at the end of a class's body."""
    head, found, rest = text.partition(f"class {name}(")
    assert found
    body, between, after = rest.partition("\n\n\n")
    return f"{head}{found}{body.rstrip()}\n{block.rstrip()}\n{between}{after}"


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    pytest.importorskip("ruff", reason="what is generated is formatted by ruff")
    copy = tmp_path_factory.mktemp("extended")
    junk = shutil.ignore_patterns("__pycache__", "_build")
    for folder in ("pytest_aiperf", "docs"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=junk)
    shutil.copy(ROOT / "pyproject.toml", copy)
    before = files(copy)
    for path, _, name, block in BLOCKS:
        target = copy / path
        target.write_text(in_class(target.read_text(), name, block) if name else block)
    by_hand = {path for path, text in files(copy).items() if before.get(path) != text}
    run(copy, sys.executable, "docs/generate.py")
    generated = {path for path, text in files(copy).items() if before.get(path) != text} - by_hand
    return copy, by_hand, generated


def files(folder):
    kept = (".py", ".yaml", ".md", ".json")
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.suffix in kept}


def run(copy, *command):
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_walk_touches_one_file_and_what_is_generated(extended):
    _, by_hand, generated = extended
    assert by_hand == {path for path, *_ in BLOCKS}
    assert len(by_hand) == 3
    assert generated == {
        "docs/cli-options.md",
        "docs/metrics.md",
        "pytest_aiperf/plugin/plugins.yaml",
        "pytest_aiperf/pytest_plugin/option_table.py",
    }


def test_the_endpoint_the_metric_and_the_option_work(extended):
    copy, _, _ = extended
    (copy / "test_use.py").write_text(re.sub(r"(?m)^ {4}", "", USE))
    options = (
        "-c",
        os.devnull,
        "--rootdir=.",
        ANY_NOISE,
        "--aiperf-endpoint=mock://",
        "--aiperf-greeting=hi",
    )
    run(copy, sys.executable, "-m", "pytest", "test_use.py", "--aiperf-json=out.json", *options)
    (measurement,) = json.loads((copy / "out.json").read_text())["measurements"]
    assert measurement["load"]["greeting"] == "hello"
    assert measurement["load"]["endpoint_type"] == "loud_chat"
    command = ("-P", "-c", "from pytest_aiperf.cli import main; main()")
    shown = run(copy, sys.executable, *command, "plugins", "show", "endpoint", "loud_chat")
    assert "pytest_aiperf.endpoints.loud_chat" in shown
