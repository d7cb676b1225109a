"""Runs of real pytest processes in which all the other plugins are loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

FAST = "mock://?ttft_ms=40&itl_ms=2&osl=4"
SLOW = f"{FAST}&slow_pct=60"
LOAD = "concurrency=8, isl=8, osl=4, request_count=20"
INI = """
    [pytest]
    asyncio_mode = auto
    asyncio_default_fixture_loop_scope = function
    filterwarnings = error
"""
CONFTEST = """
    import json
    import os
    from pathlib import Path

    def note(*words):
        ledger = os.open("ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(ledger, (json.dumps(words) + "\\n").encode())
        os.close(ledger)

    def pytest_aiperf_before_measure(item, name):
        note("begins", item.name)

    def pytest_aiperf_after_measure(item, name, result):
        note("ends", item.name, result.ttft.avg)
        for child in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for pid in child.read_text().split():
                if "pytest_aiperf" in Path(f"/proc/{pid}/cmdline").read_text():
                    note("child", "coverage/tracer" in Path(f"/proc/{pid}/maps").read_text())
"""
"""Keeps a ledger of what is measured when, and whether our processes are traced."""


@dataclass(frozen=True)
class Zoo:
    """A folder with tests in it."""

    pytester: pytest.Pytester
    arguments: tuple[str, ...] = ()

    def write(self, **files: str) -> None:
        self.pytester.makeini(INI)
        self.pytester.makeconftest(CONFTEST)
        self.pytester.makepyfile(**files)

    def run(self, *arguments: str, endpoint: str = FAST) -> pytest.RunResult:
        """Run pytest in a process of its own, with an empty ledger."""
        (self.pytester.path / "ledger").write_text("")
        result = self.pytester.runpytest_subprocess(
            f"--aiperf-endpoint={endpoint}",
            "--aiperf-json=out.json",
            *self.arguments,
            *arguments,
            timeout=150,
        )
        for plugin in (
            "asyncio-",
            "html-",
            "sugar-",
            "rerunfailures-",
            "aiperf-",
            "benchmark-",
            "anyio-",
            "cov-",
        ):
            result.stdout.fnmatch_lines([f"plugins: *{plugin}*"])
        return result

    def measurements(self) -> dict[str, dict]:
        """The measurements of the last run, by test and name."""
        listed = json.loads((self.pytester.path / "out.json").read_text())["measurements"]
        found = {m["test"].rpartition("::")[2] + (f"#{m['name']}" if m["name"] else ""): m for m in listed}
        assert len(found) == len(listed)
        return found

    def ledger(self, *kinds: str) -> list[list]:
        """What the last run noted, of these kinds."""
        lines = map(json.loads, (self.pytester.path / "ledger").read_text().splitlines())
        return [line for line in lines if line[0] in kinds]
