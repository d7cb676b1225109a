"""Write docs/screens/*.txt: what a terminal of 80 columns shows in each case. About two minutes on a quiet machine.

    python docs/screens.py

Each screen is a real pytest of its own on the embedded server, in a folder with one test; what stands before the
results (platform, versions) is left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVER = "mock://?ttft_ms=20&itl_ms=2&jitter=0.1"
COLUMNS = 80
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:randomly", "--color=no")


def main() -> None:
    """Write all of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = (HERE.parent / "examples" / "test_first.py").read_text(encoding="utf-8")
        (folder / "test_first.py").write_text(source, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        write("missing", screen(folder, SERVER))
        screen(folder, SERVER, "--aiperf-update")
        write("inconclusive", screen(folder, SERVER, "--aiperf-max-mde=1%"))
        screen(folder, SERVER, "--aiperf-update")
        screen(folder, SERVER, "--aiperf-update")
        write("pass", screen(folder, SERVER))
        write("regression", screen(folder, f"{SERVER}&slow_pct=25"))
        write("errors", screen(folder, f"{SERVER}&error_pct=20"))


def screen(folder: Path, server: str, *options: str) -> str:
    """Run the test; return the command and what it printed from the results on."""
    given = [f"--aiperf-endpoint={server}", *options]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *given],
        cwd=folder,
        env={**os.environ, "COLUMNS": str(COLUMNS), "CI": ""} | dict.fromkeys(("PYTEST_ADDOPTS",), ""),
        capture_output=True,
        text=True,
        timeout=600,
    )
    lines = done.stdout.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("collected"))
    quoted = [f"'{part}'" if "&" in part else part for part in given]
    return "\n".join([f"$ pytest {' '.join(quoted)}", *(line.rstrip() for line in lines[begin:])])


def write(name: str, text: str) -> None:
    (HERE / "screens").mkdir(exist_ok=True)
    (HERE / "screens" / f"{name}.txt").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
