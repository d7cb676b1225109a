"""PYTEST_DONT_REWRITE. What each process does: alone, xdist controller, xdist worker.

Workers measure and read baselines; the process that the user started collects results from reports, writes
baselines and documents, and hands out the lease that keeps measurements apart. Alone, one process is both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_aiperf.pytest_plugin import marker, measuring, options

if TYPE_CHECKING:
    from pytest_aiperf.pytest_plugin.lease_broker import LeaseBroker
    from pytest_aiperf.pytest_plugin.services import Services

_SERVICES: Final[pytest.StashKey[Services]] = pytest.StashKey()
_BROKER: Final[pytest.StashKey[LeaseBroker]] = pytest.StashKey()
_WORKERS: Final[pytest.StashKey[int]] = pytest.StashKey()
_COLLECTOR: Final = "aiperf-collector"
_INPUT: Final = "aiperf_lease"
_NO_TURN: Final[pytest.StashKey[Exception]] = pytest.StashKey()
"""Why a test cannot be let in."""
_ANNOUNCED: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""Whether a test was let in as one that measures."""
_SENT_AWAY: Final[pytest.StashKey[str]] = pytest.StashKey()
"""Why a test got no lease: the session was stopping while it waited."""


def is_worker(config: pytest.Config) -> bool:
    """Tell whether this is an xdist worker (environment variables would leak into nested runs)."""
    return hasattr(config, "workerinput")


def configure(config: pytest.Config) -> None:
    """Set up the role of this process, once something of ours is in play."""
    collect(config)
    if options.flag_of(config, "prune"):
        from pytest_aiperf.pytest_plugin import pruning

        pruning.register(config, worker=is_worker(config))


def collect(config: pytest.Config) -> None:
    """Let this process collect results, unless it does, or is a worker, which sends its own."""
    if not is_worker(config) and not config.pluginmanager.has_plugin(_COLLECTOR):
        from pytest_aiperf.pytest_plugin.collector import Collector

        config.pluginmanager.register(Collector(config), _COLLECTOR)


def services(config: pytest.Config) -> Services:
    """Return this process's services; nothing is started by asking."""
    if _SERVICES not in config.stash:
        from pytest_aiperf.pytest_plugin.services import Services, log_directory

        config.stash[_SERVICES] = services = Services(
            log_directory(config), log_level=options.value_of(config, "log_level")
        )
        config.add_cleanup(services.close)  # our processes end with this one
    return config.stash[_SERVICES]


def workers(config: pytest.Config) -> int:
    """Return how many xdist workers this session has; 0 without xdist."""
    return config.stash.get(_WORKERS, 0)


def configure_node(node: Any) -> None:
    """Controller: tell a worker where the lease is to be had, and collect what it sends."""
    collect(node.config)
    stash = node.config.stash
    if _BROKER not in stash:
        from pytest_aiperf.pytest_plugin.lease_broker import LeaseBroker

        # Under --dist=each the next measurement of a test must find the baseline that the one before it recorded.
        in_order = node.config.getoption("maxfail") or node.config.getoption("dist") == "each"
        stash[_BROKER] = broker = LeaseBroker(until_reported=bool(in_order))
        node.config.add_cleanup(broker.close)
    stash[_WORKERS] = node.workerinput["workercount"]
    broker = stash[_BROKER]
    host, port = broker.address
    node.workerinput[_INPUT] = (host, port, broker.token)


@contextmanager
def lease(item: pytest.Item) -> Iterator[None]:
    """Hold the session's lease while this test runs, and for a measurement the lock against other sessions."""
    item.stash[_ANNOUNCED] = announced = measures(item)
    if announced:
        from pytest_aiperf.pytest_plugin import own_server

        own_server.show_messages(item.config)
    with _lease_of_the_session(item), _lock_against_other_sessions(item):
        yield


@contextmanager
def _lock_against_other_sessions(item: pytest.Item) -> Iterator[None]:
    """Take it here where the endpoint is known: waiting then counts neither as setup nor as call."""
    no_turn = _SENT_AWAY in item.stash or _NO_TURN in item.stash
    urls = [] if no_turn or not measures(item) else _servers_of_others_too(item)
    if not urls:
        yield
        return
    from pytest_aiperf.common.errors import MeasurementError

    with ExitStack() as held:
        try:
            held.enter_context(lock_endpoint(item.config, urls))
        except MeasurementError as error:
            item.stash[_NO_TURN] = error
        yield


def _servers_of_others_too(item: pytest.Item) -> list[str]:
    """Return the servers that are known before the fixtures are set up; an embedded one has no other clients."""
    against = marker.merged(item).get("against") or options.value_of(item.config, "against")
    given = f"{options.value_of(item.config, 'endpoint') or ''},{against or ''}".split(",")
    urls = [url.strip() for url in given]
    return [url for url in urls if "://" in url and not url.startswith("mock://")]


@contextmanager
def lock_endpoint(config: pytest.Config, urls: Sequence[str]) -> Iterator[None]:
    """Keep other pytest sessions from measuring these endpoints meanwhile; taking it twice is fine."""
    if _isolation(config) == "none":
        yield
        return
    from pytest_aiperf.pytest_plugin.waiting import say
    from pytest_aiperf.services.endpoint_lock import endpoint_lock

    pid = os.getppid() if is_worker(config) else os.getpid()
    owner = f"pytest (pid {pid}) in {config.rootpath}"
    with endpoint_lock(urls, owner=owner, on_wait=lambda text: say(config, f"this session {text}")):
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


def require_announced(item: pytest.Item) -> None:
    """Refuse to measure in a test that was let in as an ordinary one: others may run beside it.

    Raises:
        ConfigurationError: nothing told that the test measures before it began.
    """
    __tracebackhide__ = True
    options.skip_when_off(item.config)
    if not item.stash.get(_ANNOUNCED, False):
        from pytest_aiperf.common.errors import ConfigurationError

        raise ConfigurationError(
            "the aiperf fixture was asked for while the test ran already, with request.getfixturevalue: "
            "mark the test with @pytest.mark.aiperf, or name the fixture among its arguments"
        )


def reported(config: pytest.Config, owner: str) -> None:
    """Controller: the last report of a test has been read."""
    if (broker := config.stash.get(_BROKER, None)) is not None:
        broker.reported(owner)


def was_measuring(config: pytest.Config, owner: str) -> bool:
    """Controller: tell whether this test of a worker was let in to measure."""
    broker = config.stash.get(_BROKER, None)
    return broker is not None and owner in broker.measured


def send_away(config: pytest.Config, reason: str) -> None:
    """Controller: nobody waits for a turn any more; what has its turn goes on."""
    if (broker := config.stash.get(_BROKER, None)) is not None:
        broker.cancel_waiting(reason)


def measures(item: pytest.Item) -> bool:
    """Tell whether a test will put load on something."""
    if item.config.getoption("setupplan", False):  # pytest sets no fixture up then
        return False
    return measuring.measures(item) and options.value_of(item.config, "mode") != "off"
