"""`pytest-aiperf profile` against an inference server that nobody wrote for this project: each kind that it serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-P", "-c", "from pytest_aiperf.cli import main; main()", "profile"]
LOAD = ("--concurrency=2", "--request-count=30", "--isl=16", "--warmup-request-count=4")
DEADLINE_S = 170


def profile(folder, url, *arguments):
    """The ended command and the one measurement of its document."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AIPERF_")} | {"COLUMNS": "80"}
    ended = subprocess.run(
        [*COMMAND, "--url", url, *LOAD, "--json=result.json", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S, env=environment,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert max(map(len, ended.stdout.splitlines())) <= 80
    [measurement] = json.loads((folder / "result.json").read_text())["measurements"]
    return ended.stdout, measurement


@pytest.mark.parametrize("kind", ["chat", "completions"])
def test_text_is_streamed_as_long_as_was_asked_for(tmp_path, llama_server, kind):
    shown, measurement = profile(tmp_path, llama_server, f"--endpoint-type={kind}", "--osl=24")
    assert f"tiny-random  {kind}, streamed" in shown
    metrics = measurement["metrics"]
    length = metrics["output_sequence_length"]
    assert (length["min"], length["max"]) == (24, 24)
    assert 0 < metrics["time_to_first_token"]["p50"] < metrics["request_latency"]["p50"]
    assert metrics["inter_token_latency"]["p50"] > 0
    assert measurement["errors"] == []


def test_embeddings_are_measured_whole(tmp_path, embedding_server):
    shown, measurement = profile(tmp_path, embedding_server, "--endpoint-type=embeddings")
    assert "tiny-random  embeddings\n" in shown
    assert measurement["errors"] == []
    assert measurement["metrics"]["request_latency"]["count"] == 90
    assert "time_to_first_token" not in measurement["metrics"]


def test_what_was_recorded_is_compared(tmp_path, llama_server):
    wide = ("--tolerance=ttft.p50=300%", "--tolerance=itl.p50=300%")
    profile(tmp_path, llama_server, "--osl=24", "--record=base.json")
    shown, measurement = profile(tmp_path, llama_server, "--osl=24", "--baseline=base.json", *wide)
    assert measurement["verdict"] in ("pass", "inconclusive")
    assert [row["metric"] for row in measurement["comparisons"]]
    assert "baseline" in shown
