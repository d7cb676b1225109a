"""PYTEST_DONT_REWRITE. The pytest plugin: hooks that delegate. Imported in every pytest run of every user, so
nothing here imports more than the standard library and pytest; the rest is imported when a test uses it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_aiperf.pytest_plugin import measuring, options
from pytest_aiperf.pytest_plugin.fixtures import (
    aiperf,
    aiperf_client_args,
    aiperf_endpoint,
    aiperf_mock_server,
    aiperf_profile,
    aiperf_result,
)

__all__ = [
    "aiperf",
    "aiperf_client_args",
    "aiperf_endpoint",
    "aiperf_mock_server",
    "aiperf_profile",
    "aiperf_result",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Called once at start-up, in every process."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Called at start-up, in every process."""
    from pytest_aiperf.pytest_plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Called after the command line was parsed, in every process."""
    config.addinivalue_line("markers", measuring.DESCRIPTION)
    options.check(config)
    if options.options_given(config):
        from pytest_aiperf.pytest_plugin import artifacts, roles

        artifacts.prepare(config)
        roles.configure(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Called by xdist in the controller for each worker that it starts."""
    from pytest_aiperf.pytest_plugin import roles

    roles.configure_node(node)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Called after collection, in every process that collects: markers are checked now, reported at setup."""
    if any(map(measuring.measures, items)):
        from pytest_aiperf.pytest_plugin import marker, roles

        roles.collect(config)
        marker.check_items(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Called around each test where it runs: waiting for the lease counts neither as setup nor as call."""
    from pytest_aiperf.pytest_plugin import roles

    with roles.lease(item):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Called before a test's fixtures, where it runs."""
    from pytest_aiperf.pytest_plugin import marker, roles

    roles.require_turn(item)
    if measuring.measures(item):
        marker.start_anew(item)
        marker.report_problem(item)
        options.skip_when_off(item.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Called around the test function, where it runs."""
    __tracebackhide__ = True
    from pytest_aiperf.pytest_plugin import marker

    marker.raise_verdict(item)
    yield
    marker.require_measurement(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Called after each phase, where the test runs: results travel on the report."""
    report = yield
    if measuring.measures(item):
        from pytest_aiperf.pytest_plugin import reports

        reports.attach(item, call, report)
    return report


def pytest_report_header(config: pytest.Config) -> str | None:
    """Called before collection, where a header is printed."""
    return options.header(config)
