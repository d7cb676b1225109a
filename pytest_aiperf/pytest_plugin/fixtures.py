"""PYTEST_DONT_REWRITE. The fixtures: only docstrings and lazy imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from pytest_aiperf.pytest_plugin import options

if TYPE_CHECKING:
    from pytest_aiperf.measure.result import Result
    from pytest_aiperf.pytest_plugin.runner import Aiperf
    from pytest_aiperf.services.mock_service import MockServerProcess


@pytest.fixture(scope="session")
def aiperf_endpoint(pytestconfig: pytest.Config) -> str:
    """URL of the server under test; override it to start your own server and return its URL."""
    endpoint = options.value_of(pytestconfig, "endpoint")
    if endpoint is not None:
        return str(endpoint)
    reason = "no endpoint: give --aiperf-endpoint=URL or AIPERF_ENDPOINT (mock:// starts the embedded server)"
    if options.flag_of(pytestconfig, "require"):
        from pytest_aiperf.common.errors import ConfigurationError

        raise ConfigurationError(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def aiperf_profile(pytestconfig: pytest.Config) -> str | None:
    """Name of the hardware or deployment that baselines belong to; None derives it. Override it to name yours."""
    profile = options.value_of(pytestconfig, "profile")
    return None if profile is None else str(profile)


@pytest.fixture(scope="session")
def aiperf_client_args() -> Mapping[str, object]:
    """Options for every measurement, as keywords of `run`; markers and `run` are nearer. Override it to give yours."""
    return {}


@pytest.fixture(scope="session")
def aiperf_mock_server(pytestconfig: pytest.Config) -> Callable[..., MockServerProcess]:
    """Start embedded servers: ``aiperf_mock_server(ttft_ms=20, itl_ms=2).url``. They end with the session."""
    from pytest_aiperf.mock_server.options import MockOptions
    from pytest_aiperf.pytest_plugin import roles

    def start(**settings: float | str) -> MockServerProcess:
        return roles.services(pytestconfig).mock(MockOptions.from_dict(settings))

    return start


@pytest.fixture
def aiperf(
    request: pytest.FixtureRequest,
    aiperf_endpoint: object,
    aiperf_profile: str | None,
    aiperf_client_args: Mapping[str, object],
) -> Aiperf:
    """Measure the endpoint: ``result = aiperf.run(concurrency=8)``; ``await aiperf.arun(...)`` in async tests."""
    __tracebackhide__ = True
    from pytest_aiperf.pytest_plugin import roles

    roles.require_announced(request.node)
    from pytest_aiperf.pytest_plugin.runner import Aiperf

    return Aiperf(
        request.node, endpoint=aiperf_endpoint, profile=aiperf_profile, client_args=aiperf_client_args
    )


@pytest.fixture
def aiperf_result(aiperf: Aiperf) -> Result:
    """The measurement that the marker describes, made and judged before the test body."""
    __tracebackhide__ = True
    return aiperf.run_before_the_test()
