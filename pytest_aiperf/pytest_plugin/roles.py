"""PYTEST_DONT_REWRITE. What each process does: alone, xdist controller, xdist worker.

Workers measure and read baselines; the process that the user started collects results from reports, writes
baselines and documents, and hands out the lease that keeps measurements apart. Alone, one process is both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_aiperf.pytest_plugin import marker, options

if TYPE_CHECKING:
    from pytest_aiperf.pytest_plugin.lease_broker import LeaseBroker
    from pytest_aiperf.pytest_plugin.services import Services

_SERVICES: Final[pytest.StashKey[Services]] = pytest.StashKey()
_BROKER: Final[pytest.StashKey[LeaseBroker]] = pytest.StashKey()
_INPUT: Final = "aiperf_lease"
_NO_TURN: Final[pytest.StashKey[Exception]] = pytest.StashKey()
"""Why a test cannot be let in."""
_SENT_AWAY: Final[pytest.StashKey[str]] = pytest.StashKey()
"""Why a test got no lease: the session was stopping while it waited."""


def is_worker(config: pytest.Config) -> bool:
    """Tell whether this is an xdist worker (environment variables would leak into nested runs)."""
    return hasattr(config, "workerinput")


def configure(config: pytest.Config) -> None:
    """Set up the role of this process."""
    if not is_worker(config):
        from pytest_aiperf.pytest_plugin.collector import Collector

        config.pluginmanager.register(Collector(config), "aiperf-collector")


def unconfigure(config: pytest.Config) -> None:
    """End everything that this process started."""
    if (services := config.stash.get(_SERVICES, None)) is not None:
        services.close()
        del config.stash[_SERVICES]
    if (broker := config.stash.get(_BROKER, None)) is not None:
        broker.close()
        del config.stash[_BROKER]


def services(config: pytest.Config) -> Services:
    """Return this process's services; nothing is started by asking."""
    if _SERVICES not in config.stash:
        from pytest_aiperf.pytest_plugin.services import Services, log_directory

        config.stash[_SERVICES] = Services(log_directory(config))
    return config.stash[_SERVICES]


def configure_node(node: Any) -> None:
    """Controller: tell a worker where the lease is to be had."""
    stash = node.config.stash
    if _BROKER not in stash:
        from pytest_aiperf.pytest_plugin.lease_broker import LeaseBroker

        stash[_BROKER] = LeaseBroker(until_reported=bool(node.config.getoption("maxfail")))
    broker = stash[_BROKER]
    host, port = broker.address
    node.workerinput[_INPUT] = (host, port, broker.token)


@contextmanager
def lease(item: pytest.Item) -> Iterator[None]:
    """Hold the session's lease while this test runs, and for a measurement the lock against other sessions."""
    with _lease_of_the_session(item), _lock_against_other_sessions(item):
        yield


@contextmanager
def _lock_against_other_sessions(item: pytest.Item) -> Iterator[None]:
    """Take it here where the endpoint is known: waiting then counts neither as setup nor as call."""
    endpoint = str(options.value_of(item.config, "endpoint") or "")
    if _SENT_AWAY in item.stash or not measures(item) or "://" not in endpoint or "mock://" in endpoint:
        yield
        return
    from pytest_aiperf.common.errors import MeasurementError

    with ExitStack() as held:
        try:
            held.enter_context(lock_endpoint(item.config, endpoint.split(",")))
        except MeasurementError as error:
            item.stash[_NO_TURN] = error
        yield


@contextmanager
def lock_endpoint(config: pytest.Config, urls: Sequence[str]) -> Iterator[None]:
    """Keep other pytest sessions from measuring these endpoints meanwhile; taking it twice is fine."""
    if _isolation(config) == "none":
        yield
        return
    from pytest_aiperf.services.endpoint_lock import endpoint_lock

    with endpoint_lock(urls):
        yield


def _isolation(config: pytest.Config) -> str:
    return str(options.value_of(config, "isolation") or "host")


@contextmanager
def _lease_of_the_session(item: pytest.Item) -> Iterator[None]:
    """A measurement excludes every other test of the session, or other measurements of its endpoint."""
    given = getattr(item.config, "workerinput", {}).get(_INPUT)
    isolation, measuring = _isolation(item.config), measures(item)
    if given is None or isolation == "none" or (isolation == "endpoint" and not measuring):
        yield
        return
    from pytest_aiperf.pytest_plugin.lease import MACHINE, Lease, LeaseCancelledError, LeaseError

    host, port, token = given
    with Lease((host, port), token) as held:
        try:
            endpoint = str(options.value_of(item.config, "endpoint") or "endpoints of fixtures")
            resource = endpoint if isolation == "endpoint" else MACHINE
            held.acquire(exclusive=measuring, owner=item.nodeid, resource=resource)
        except LeaseCancelledError as error:
            item.stash[_SENT_AWAY] = item.session.shouldstop = str(error)
        except LeaseError as error:
            item.stash[_NO_TURN] = error
        yield


def require_turn(item: pytest.Item) -> None:
    """Skip a test that waited for its turn when the session was stopped; raise what else kept it from its turn."""
    if error := item.stash.get(_NO_TURN, None):
        raise error
    if reason := item.stash.get(_SENT_AWAY, None):
        pytest.skip(reason)


def reported(config: pytest.Config, owner: str) -> None:
    """Controller: the last report of a test has been read."""
    if (broker := config.stash.get(_BROKER, None)) is not None:
        broker.reported(owner)


def send_away(config: pytest.Config, reason: str) -> None:
    """Controller: nobody waits for a turn any more; what has its turn goes on."""
    if (broker := config.stash.get(_BROKER, None)) is not None:
        broker.cancel_waiting(reason)


def measures(item: pytest.Item) -> bool:
    """Tell whether a test will put load on something."""
    return marker.measures(item) and options.value_of(item.config, "mode") != "off"
