"""Write what is generated from the declarations: the pytest option table, docs/cli-options.md and docs/metrics.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_aiperf.config.option_table import render_markdown, render_module
from pytest_aiperf.metrics import reference

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "pytest_aiperf" / "pytest_plugin" / "option_table.py"
PAGE = ROOT / "docs" / "cli-options.md"
METRICS = ROOT / "docs" / "metrics.md"


def main() -> None:
    """Write all of them."""
    TABLE.write_text(formatted(render_module()), encoding="utf-8")
    PAGE.write_text(render_markdown(), encoding="utf-8")
    METRICS.write_text(reference.render_markdown(), encoding="utf-8")


def formatted(source: str) -> str:
    """Return the source as `ruff format` leaves it."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TABLE), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout


if __name__ == "__main__":
    main()
