"""Install the built wheel into an empty environment and run the main job from it, away from the source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_PACKAGES = 45
MAX_MB = 330


def main(dist: Path) -> None:
    """Fail with a message unless the wheel does its job and keeps its weight."""
    (wheel,) = dist.glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        subprocess.run([sys.executable, "-m", "venv", work / "venv"], check=True)
        python = work / "venv" / "bin" / "python"
        bare_mb = _megabytes(work / "venv")
        subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True)
        _weigh(python, work / "venv", bare_mb)
        shutil.copytree(ROOT / "examples", work / "examples")
        environment = {**os.environ, "PATH": f"{work / 'venv' / 'bin'}:{os.environ['PATH']}"}
        subprocess.run(["sh", "examples/quickstart.sh"], cwd=work, env=environment, check=True, timeout=300)


def _weigh(python: Path, venv: Path, bare_mb: float) -> None:
    command = [python, "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    packages = [line for line in listed.stdout.splitlines() if not line.startswith(("pip==", "setuptools=="))]
    weight_mb = _megabytes(venv) - bare_mb
    print(f"{len(packages)} packages (at most {MAX_PACKAGES}), {weight_mb:.0f} MB (at most {MAX_MB})")
    if len(packages) > MAX_PACKAGES or weight_mb > MAX_MB:
        raise SystemExit("the installation is heavier than promised")


def _megabytes(folder: Path) -> float:
    return sum(f.lstat().st_blocks * 512 for f in folder.rglob("*") if f.is_file()) / 1e6


if __name__ == "__main__":
    main(Path(sys.argv[1]))
