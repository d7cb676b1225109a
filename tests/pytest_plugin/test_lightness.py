"""Nothing is imported until a test measures."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

HEAVY = {"numpy", "scipy", "aiohttp", "pydantic", "asyncio", "uvloop", "httptools", "orjson", "yaml", "ssl"}


def imported(importtime: str) -> set[str]:
    """Top-level names in the output of ``-X importtime``."""
    lines = [line for line in importtime.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[-1].strip().partition(".")[0] for line in lines}


def test_importing_the_package_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import pytest_aiperf"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    names = imported(done.stderr)
    assert "pytest_aiperf" in names
    assert names.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "arguments", [(), ("--aiperf-endpoint=mock://",), ("-n2",)], ids=["plain", "given", "n2"]
)
def test_collecting_ordinary_tests_imports_nothing_heavy(pytester, monkeypatch, arguments):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins import what they like
    pytester.makepyfile("def test_ordinary(): pass")
    command = [sys.executable, "-X", "importtime", "-m", "pytest", "--collect-only", "-p", "xdist.plugin"]
    done = subprocess.run(
        [*command, "-p", "pytest_aiperf.pytest_plugin", *arguments],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    names = imported(done.stderr)
    assert "pytest_aiperf" in names
    assert names.isdisjoint(HEAVY)


def test_running_ordinary_tests_starts_no_process_and_makes_no_folder(pytester):
    pytester.makepyfile("def test_ordinary(): pass")
    pytester.runpytest_subprocess("--aiperf-endpoint=mock://").assert_outcomes(passed=1)
    assert not (pytester.path / ".aiperf").exists()


def test_help_shows_the_options_and_markers_the_marker(pytester):
    text = pytester.runpytest_subprocess("--help").stdout.str()
    assert "--aiperf-endpoint=URL" in text
    assert "--aiperf-update=[WHICH]" in text
    assert "--aiperf-image-width-mean=" not in text  # one of many that are seldom given
    assert "pytest-aiperf profile --help" in " ".join(text.split())
    pytester.runpytest_subprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.aiperf(**load, *"])
    pytester.runpytest_subprocess("--fixtures").stdout.fnmatch_lines(["aiperf -- *", "aiperf_result -- *"])


def test_what_the_processes_log_stands_in_the_report_of_the_test(pytester):
    """H5, H6."""
    pytester.makepyfile(
        quiet_endpoint="""
        import logging
        from pytest_aiperf.endpoints.openai_chat import ChatEndpoint

        class Telling(ChatEndpoint):
            def __init__(self, *given):
                super().__init__(*given)
                logging.getLogger("pytest_aiperf.telling").info("an endpoint was made")
        """,
        test_perf="""
        import pytest

        @pytest.mark.aiperf(endpoint_type="quiet_endpoint:Telling", concurrency=2, isl=8, osl=4, request_count=5)
        def test_it(aiperf):
            aiperf.run()
            assert False
        """,
    )
    given = ("-p", "no:cacheprovider", "--aiperf-mode=quick", "--aiperf-endpoint=mock://?ttft_ms=1&itl_ms=1")
    shown = pytester.runpytest_subprocess(*given, "--aiperf-log-level=info").stdout.str()
    assert re.search(
        r"INFO +pytest_aiperf\.telling:quiet_endpoint\.py:\d+ \[load_worker \d+\] an endpoint was made", shown
    )
    assert "[load_worker" not in pytester.runpytest_subprocess(*given).stdout.str()
