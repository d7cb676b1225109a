"""Suites to run, and an environment that leaks nothing into them."""

from __future__ import annotations

import pytest
from perf_suite import Suite


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Outer options and CI variables must not leak into the runs."""
    for name in (
        "CI",
        "BUILD_NUMBER",
        "GITHUB_STEP_SUMMARY",
        "AIPERF_ENDPOINT",
        "AIPERF_API_KEY",
        "PYTEST_ADDOPTS",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("PY_COLORS", "0")


@pytest.fixture
def suite(pytester):
    """A suite that runs without xdist options."""
    return Suite(pytester)


@pytest.fixture(params=[(), ("-n0",), ("-n2",)], ids=["alone", "n0", "n2"])
def any_suite(request, pytester):
    """A suite that runs alone, under -n0 and under -n2."""
    return Suite(pytester, request.param)
