"""Put a fresh example into docs/result-document.md: a recording and a check on the embedded server, made now.

    python docs/example_document.py

What stands there is cut, not changed: of each list but those of figures the first item is left, of the metrics one, of
the histogram three bins; figures have six digits.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent / "result-document.md"
TEST = """
import pytest

WIDE = {"ttft.p50": "20%", "itl.p50": "20%", "latency.p95": "20%"}

@pytest.mark.aiperf(concurrency=8, isl=128, osl=32, request_count=100, tolerance=WIDE)
def test_chat(aiperf):
    aiperf.run()
"""
ARGUMENTS = (
    "--aiperf-endpoint=mock://?ttft_ms=60&itl_ms=4&jitter=0.1",
    "--aiperf-json=result.json",
    "--aiperf-artifacts=artifacts",
)
BINS = ("index", "count")
KEPT_METRIC = "time_to_first_token"


def main() -> None:
    """Measure, and replace the block of JSON of the page."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_first.py").write_text(TEST, encoding="utf-8")
        for more in (["--aiperf-update"], []):
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ARGUMENTS, *more]
            subprocess.run(command, cwd=folder, check=True)
        document = json.loads(Path(folder, "result.json").read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    block = f"```json\n{_text(shortened(document))}\n```"
    page, times = re.subn(r"```json\n.+?\n```", lambda _: block, page, flags=re.DOTALL)
    assert times == 1, f"{PAGE} has {times} blocks of JSON"
    PAGE.write_text(page, encoding="utf-8")


def shortened(value: Any, key: str = "") -> Any:
    """Return the document with the first item of each list, one metric, and six digits."""
    if isinstance(value, dict):
        kept = [KEPT_METRIC] if key == "metrics" else list(value)
        return {name: shortened(value[name], name) for name in kept}
    if isinstance(value, list):
        figures = all(isinstance(item, (int, float)) for item in value)
        most = 3 if key in BINS else len(value) if figures else 1
        return [shortened(item) for item in value[:most]]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _text(document: dict[str, Any]) -> str:
    """Lists of numbers stand in one line."""
    return re.sub(
        r"\[\s+([^\[\]{}\"]+?)\s+\]",
        lambda found: f"[{' '.join(found[1].split())}]",
        json.dumps(document, indent=2, ensure_ascii=False),
    )


if __name__ == "__main__":
    main()
