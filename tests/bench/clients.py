"""The two clients that are compared, each in a process of its own: the load process, and aiohttp_client.py."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pytest_aiperf.common.records import RecordBatch
from pytest_aiperf.metrics.registry import all_metrics
from pytest_aiperf.metrics.run_columns import RunColumns
from pytest_aiperf.services.load_process import LoadProcess

METRICS = {"ttft": "time_to_first_token", "itl": "inter_token_latency", "latency": "request_latency"}
BODY = b'{"model":"mock","messages":[{"role":"user","content":"' + b"x" * 400 + b'"}],"stream":true}'


@contextlib.contextmanager
def load_process() -> Iterator[LoadProcess]:
    """The load process as the plugin starts it; its log goes with it."""
    with tempfile.TemporaryDirectory() as folder, LoadProcess(log_dir=Path(folder)) as load:
        load.process.wait_ready()
        yield load


def reported(batch: RecordBatch) -> dict[str, np.ndarray]:
    """What is reported of each request, in ms, by the keys of `METRICS`."""
    columns = RunColumns(batch)
    return {name: columns.of(all_metrics()[tag]) for name, tag in METRICS.items()}


def aiohttp_load(url: str, streams: int, requests: int) -> dict[str, Any]:
    """Send so many requests with the plain client and return what it prints."""
    program = Path(__file__).with_name("aiohttp_client.py")
    done = subprocess.run(
        [sys.executable, program, url, str(streams), str(requests)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=600,
    )
    return json.loads(done.stdout)
