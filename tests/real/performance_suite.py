"""A user's test suite in a folder of its own, run as a user runs it: `python -m pytest` in a new process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE_S: Final = 170

_TEST_FILE: Final = """
import pytest

@pytest.mark.aiperf({marker})
def test_chat(aiperf):
    aiperf.run()
"""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How one `pytest` ended, and the result document that it left."""

    status: int
    output: str
    document: dict[str, Any]

    @property
    def measurement(self) -> dict[str, Any]:
        """The one measurement of the suite."""
        (measurement,) = self.document["measurements"]
        return measurement

    @property
    def runs(self) -> list[dict[str, Any]]:
        """All measured runs, in order."""
        return [run for session in self.measurement["sessions"] for run in session["runs"]]


class PerformanceSuite:
    """One test with one marker; baselines stay in the folder from one invocation to the next."""

    def __init__(self, folder: Path, **marker: Any) -> None:
        self.folder = folder
        arguments = ", ".join(f"{name}={value!r}" for name, value in marker.items())
        (folder / "test_chat.py").write_text(_TEST_FILE.format(marker=arguments))
        (folder / "pytest.ini").write_text("[pytest]\n")  # the folder is a root of its own
        self._invocations = 0

    def run(self, url: str, *options: str) -> Invocation:
        """Run the suite against `url`, in a new process."""
        self._invocations += 1
        report = self.folder / f"result-{self._invocations}.json"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA"]
        command += [f"--aiperf-endpoint={url}", f"--aiperf-json={report}", *options]
        ended = subprocess.run(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        if not report.exists():
            raise AssertionError(
                f"pytest ended with {ended.returncode} and wrote no document:\n{ended.stdout}"
            )
        return Invocation(
            status=ended.returncode, output=ended.stdout, document=json.loads(report.read_bytes())
        )

    @property
    def baselines(self) -> list[Path]:
        return sorted((self.folder / "__aiperf__").rglob("*.json"))
