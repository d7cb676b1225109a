"""The other plugins. Where one of them is not installed, this folder is not collected: `tox -e zoo` installs all."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from zoo_suite import Zoo

NEEDED = (
    "xdist", "pytest_asyncio", "anyio", "trio", "pytest_timeout", "pytest_rerunfailures", "pytest_randomly",
    "pytest_cov", "pytest_html", "pytest_benchmark", "pytest_split", "pytest_sugar", "pytest_instafail",
    "pytest_github_actions_annotate_failures", "pytest_metadata", "pytest_repeat", "pytest_mock", "pytest_order",
    "pyte",
)  # fmt: skip
collect_ignore_glob = [] if all(map(find_spec, NEEDED)) else ["test_*.py"]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """What this run was started with must not leak into the runs below it."""
    for name in (
        "CI",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "AIPERF_ENDPOINT",
        "PYTEST_ADDOPTS",
        "PYTEST_PLUGINS",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture(params=[(), ("-n2",)], ids=["alone", "n2"])
def zoo(request, pytester):
    """A suite that runs with all plugins, alone and on two workers."""
    return Zoo(pytester, request.param)


@pytest.fixture
def alone(pytester):
    return Zoo(pytester)


@pytest.fixture
def on_two_workers(pytester):
    return Zoo(pytester, ("-n2",))
