"""PYTEST_DONT_REWRITE. Hooks for `conftest.py` and other plugins. Implement only those that you need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_aiperf.config.aiperf_config import AIPerfConfig
    from pytest_aiperf.measure.result import Result


@pytest.hookspec(firstresult=True)
def pytest_aiperf_collect_profile(config: pytest.Config, endpoint: str) -> str | None:
    """Name the hardware or deployment that baselines belong to; the first answer counts.

    Called where a test runs, before it measures, unless the `aiperf_profile` fixture or ``--aiperf-profile`` names it.
    """


@pytest.hookspec
def pytest_aiperf_before_measure(item: pytest.Item, name: str | None, config: AIPerfConfig) -> None:
    """Called where a test runs, right before a measurement: start a profiler, empty a cache, log what comes."""


@pytest.hookspec
def pytest_aiperf_after_measure(item: pytest.Item, name: str | None, result: Result) -> None:
    """Called where a test runs, after a measurement and before its verdict fails the test."""


@pytest.hookspec
def pytest_aiperf_metrics(item: pytest.Item, name: str | None, result: Result) -> Mapping[str, float] | None:
    """Return further figures of your own; they go into the result document, below `extra`.

    Called where a test runs, after a measurement. Names of several implementations are put together.
    """


@pytest.hookspec
def pytest_aiperf_judge(item: pytest.Item, name: str | None, result: Result) -> str | None:
    """Return a text to fail the test with it: a rule of your own, beside the verdict.

    Called where a test runs, after a measurement whose own verdict lets the test go on.
    """


@pytest.hookspec(firstresult=True)
def pytest_aiperf_load_baseline(path: Path) -> str | None:
    """Return a baseline's text from a place of your own; None: it is read from `path`.

    Called where a test runs, before its measurement.
    """


@pytest.hookspec(firstresult=True)
def pytest_aiperf_store_baseline(path: Path, text: str) -> bool | None:
    """Store a baseline's text in a place of your own and return True; None: it is written to `path`.

    Called in the process that the user started, never in an xdist worker.
    """


@pytest.hookspec
def pytest_aiperf_update_report(config: pytest.Config, document: dict[str, Any]) -> None:
    """Change the result document in place before ``--aiperf-json`` writes it.

    Called once, at the end, in the process that the user started.
    """


@pytest.hookspec(firstresult=True)
def pytest_aiperf_restart_server(item: pytest.Item, endpoint: str) -> bool | None:
    """Restart the server before a confirming session, wait until it answers, and return True.

    Called where a test runs, unless what the `aiperf_endpoint` fixture gave has a `restart` of its own.
    """
