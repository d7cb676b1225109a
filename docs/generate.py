"""Write what is generated from the declarations: the pytest option table, docs/cli-options.md, docs/metrics.md, the
flags of AIPerf in docs/profile.md, the JSON Schemas of baseline files and of the result document, and what plugins.yaml
says of the endpoints and the metrics of this package.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from registry_sections import with_sections

from pytest_aiperf.cli_commands.aiperf_flags import rendered_table
from pytest_aiperf.config.option_table import render_markdown, render_module
from pytest_aiperf.exporters import json_schema
from pytest_aiperf.metrics import reference

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "pytest_aiperf" / "pytest_plugin" / "option_table.py"
PAGE = ROOT / "docs" / "cli-options.md"
METRICS = ROOT / "docs" / "metrics.md"
PROFILE = ROOT / "docs" / "profile.md"
SCHEMAS = ROOT / "docs" / "schemas"
REGISTRY = ROOT / "pytest_aiperf" / "plugin" / "plugins.yaml"


def main() -> None:
    """Write all of them, the registry first: the others read it."""
    REGISTRY.write_text(with_sections(REGISTRY.read_text(encoding="utf-8")), encoding="utf-8")
    TABLE.write_text(formatted(render_module()), encoding="utf-8")
    PAGE.write_text(render_markdown(), encoding="utf-8")
    METRICS.write_text(reference.render_markdown(), encoding="utf-8")
    PROFILE.write_text(with_table(PROFILE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMAS.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (SCHEMAS / name).write_text(text, encoding="utf-8")


def with_table(page: str) -> str:
    """Return the page with the table of AIPerf's flags between its two comments."""
    between = r"(?s)(?<=docs/generate.py -->\n).*?(?=<!-- end of what is generated -->)"
    return re.sub(between, lambda _: f"\n{rendered_table()}\n", page)


def schemas() -> dict[str, str]:
    """Return the text of each schema by the name of its file."""
    return {
        "baseline.schema.json": json_schema.rendered(json_schema.baseline_file_schema()),
        "result.schema.json": json_schema.rendered(json_schema.result_schema()),
    }


def formatted(source: str) -> str:
    """Return the source as `ruff format` leaves it."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TABLE), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout


if __name__ == "__main__":
    main()
