"""The README's commands are those that CI runs, and its first example is an example that runs."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def shell_blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_ci_runs_the_second_command():
    assert shell_blocks()[1].strip() in (ROOT / ".ci" / "run").read_text()


def test_the_first_command_runs_the_quickstart():
    assert "sh examples/quickstart.sh" in shell_blocks()[0]
    assert (ROOT / "examples" / "quickstart.sh").exists()


def test_links_lead_to_files():
    targets = re.findall(r"\]\((docs/[^)]+)\)", (ROOT / "README.md").read_text())
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


def test_the_screens_are_those_that_the_command_makes():
    shown = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    made = [
        (ROOT / "docs" / "screens" / f"{name}.txt").read_text(encoding="utf-8")
        for name in ("pass", "regression", "missing", "inconclusive")
    ]
    assert shown == made
