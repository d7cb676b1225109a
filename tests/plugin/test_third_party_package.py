"""The example package, installed, in real pytest runs (systems.md F10; examples/third_party_plugin)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_plugin"
MOCK = "--aiperf-endpoint=mock://?ttft_ms=20&itl_ms=2&osl=8"
ON_THE_COMMAND_LINE = """
    def test_chat(aiperf):
        result = aiperf.run(judge=False, isl=8, osl=8, request_count=20)
        assert "<acme_bytes_per_token p50=" in repr(result)
"""
WHO_IMPORTS_IT = """
import os, sys
with open(os.environ["IMPORTED_BY"], "a") as file:
    print(os.getpid(), "yaml" in sys.modules, file=file)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the package in it, installed without a network."""
    folder = tmp_path_factory.mktemp("acme")
    shutil.copytree(EXAMPLE, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*pip, "--target", folder / "site", folder / "source"], check=True, capture_output=True, timeout=120
    )
    with (folder / "site" / "acme_plugins" / "endpoint.py").open("a") as module:
        module.write(WHO_IMPORTS_IT)
    return folder / "site"


@pytest.fixture
def suite(pytester, site, monkeypatch):
    """A folder with the example's test; `run` gives the outcome and what was printed."""
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("IMPORTED_BY", str(pytester.path / "imported_by"))
    shutil.copy(EXAMPLE / "test_acme.py", pytester.path)
    return pytester


def run(suite, *options):
    result = suite.runpytest_subprocess("--aiperf-json=out.json", MOCK, *options, timeout=120)
    return result, result.stdout.str()


def test_its_endpoint_and_its_metric_are_used_shown_stored_and_judged_by_marker_and_by_option(suite):
    run(suite, "--aiperf-update=missing")[0].assert_outcomes(passed=1)
    in_pytest, in_load_process = (suite.path / "imported_by").read_text().splitlines()
    assert in_pytest.endswith("True")
    assert in_load_process.endswith("False"), "it is given the registry, and reads no file"
    [baseline] = suite.path.rglob("__aiperf__/**/*.json")
    assert '"acme_bytes_per_token"' in baseline.read_text()
    suite.makepyfile(test_command_line=ON_THE_COMMAND_LINE)
    tolerance = "aiperf_tolerance=acme_bytes_per_token.p50 = 50%"
    run(suite, "-n2", "--aiperf-endpoint-type=Acme-Chat", "-o", tolerance)[0].assert_outcomes(passed=2)
    measurements = json.loads((suite.path / "out.json").read_text())["measurements"]
    judged, measured = sorted(measurements, key=lambda each: each["test"])
    verdicts = {row["metric"]: row["verdict"] for row in judged["comparisons"]}
    assert verdicts["acme_bytes_per_token.p50"] == "pass"
    assert measured["verdict"] == "measured"
    assert judged["load"]["endpoint_type"] == measured["load"]["endpoint_type"] == "acme_chat"


def test_without_it_the_marker_and_the_option_are_refused_before_anything_is_sent(suite, monkeypatch):
    monkeypatch.delenv("PYTHONPATH")
    result, text = run(suite)
    result.assert_outcomes(errors=1)
    assert "aiperf marker: unknown endpoint 'acme-chat' (did you mean 'chat'?); there is: chat" in text
    result, _ = run(suite, "--aiperf-endpoint-type=caht")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "unknown endpoint 'caht' (did you mean 'chat'?); there is: chat" in result.stderr.str()


def test_a_session_that_measures_nothing_does_not_import_the_registry(pytester):
    pytester.makepyfile(
        "import sys\n"
        "def test_ordinary():\n"
        "    assert [name for name in sys.modules if name.startswith('pytest_aiperf.plugin')] == []\n"
    )
    pytester.runpytest_subprocess(MOCK).assert_outcomes(passed=1)
