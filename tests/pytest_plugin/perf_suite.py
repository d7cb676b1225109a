"""Runs of real pytest processes on real loads: a small test file, the embedded server, one line to run it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from process_family import ANY_NOISE
from schemas import assert_result

FAST = "mock://?ttft_ms=40&itl_ms=2&osl=4"
SLOW = f"{FAST}&slow_pct=60"
ONE_TEST = """
    import pytest

    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
    def test_chat(aiperf):
        aiperf.run()
"""


@dataclass(frozen=True)
class Suite:
    """A folder with tests in it."""

    pytester: pytest.Pytester
    arguments: tuple[str, ...] = ()

    def run(self, *arguments: str, endpoint: str | None = FAST) -> pytest.RunResult:
        """Run pytest in a process of its own, with `--aiperf-json=out.json`; noise makes no measurement invalid."""
        given = [f"--aiperf-endpoint={endpoint}"] if endpoint else []
        return self.pytester.runpytest_subprocess(
            "--aiperf-json=out.json", ANY_NOISE, *given, *self.arguments, *arguments, timeout=120
        )

    def document(self) -> dict:
        """The result document of the last run."""
        document = json.loads((self.pytester.path / "out.json").read_text())
        assert_result(document)
        return document

    def verdicts(self) -> list[str]:
        return [m["verdict"] for m in self.document()["measurements"]]

    def baselines(self) -> list[Path]:
        return sorted(self.pytester.path.rglob("__aiperf__/**/*.json"))
