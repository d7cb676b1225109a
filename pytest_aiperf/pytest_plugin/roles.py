"""PYTEST_DONT_REWRITE. What each process does: alone, xdist controller, xdist worker.

Workers measure and read baselines; the process that the user started collects results from reports, writes
baselines and documents, and hands out the lease that keeps measurements apart. Alone, one process is both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_aiperf.pytest_plugin import marker, options

if TYPE_CHECKING:
    from pytest_aiperf.pytest_plugin.lease_broker import LeaseBroker
    from pytest_aiperf.pytest_plugin.services import Services

_SERVICES: Final[pytest.StashKey[Services]] = pytest.StashKey()
_BROKER: Final[pytest.StashKey[LeaseBroker]] = pytest.StashKey()
_INPUT: Final = "aiperf_lease"
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
    """Hold the session's lease while this test runs: a measurement excludes every other test of the session."""
    given = getattr(item.config, "workerinput", {}).get(_INPUT)
    if given is None:
        yield
        return
    from pytest_aiperf.pytest_plugin.lease import Lease, LeaseCancelledError

    host, port, token = given
    with Lease((host, port), token) as held:
        try:
            held.acquire(exclusive=measures(item), owner=item.nodeid)
        except LeaseCancelledError as error:
            item.stash[_SENT_AWAY] = item.session.shouldstop = str(error)
        yield


def skip_when_sent_away(item: pytest.Item) -> None:
    """Worker: skip a test that waited for its turn when the session was stopped."""
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
