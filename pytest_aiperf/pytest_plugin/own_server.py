"""PYTEST_DONT_REWRITE. A server that a fixture started: what is said while it loads, and when it ends by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pytest_aiperf.measure.measurement import Measurement

LOGGER: Final = logging.getLogger("pytest_aiperf.services.server_process")
_DYING_S: Final = 2.0
"""A process closes its connections first; freeing a GPU's memory and ending come after that."""
_SHOWN: Final[pytest.StashKey[bool]] = pytest.StashKey()


class _Messages(logging.Handler):
    def __init__(self, config: pytest.Config) -> None:
        super().__init__(logging.INFO)
        self._config = config

    def emit(self, record: logging.LogRecord) -> None:
        from pytest_aiperf.pytest_plugin.waiting import say

        say(self._config, record.getMessage())


def show_messages(config: pytest.Config) -> None:
    """Show what a `ServerProcess` says while it waits, from now to the end: a fixture's output would be captured."""
    if _SHOWN in config.stash:
        return
    config.stash[_SHOWN] = True
    handler = _Messages(config)
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    config.add_cleanup(lambda: LOGGER.removeHandler(handler))


def require_alive(endpoint: object, wait_s: float = 0.0) -> None:
    """Raise a ProcessDiedError when a fixture gave a server that knows of its end, and that has ended by itself."""
    check: Any = getattr(endpoint, "check_alive", None)
    if check is not None:
        check(wait_s=wait_s)


def of_living_server(endpoint: object, measure: Callable[[], Measurement]) -> Measurement:
    """Measure; what the server of a fixture says of its end is more than what its clients see of it.

    Raises:
        ProcessDiedError: it ended before or during the measurement.
    """
    __tracebackhide__ = True
    from pytest_aiperf.common.errors import MeasurementError

    require_alive(endpoint)
    try:
        measurement = measure()
    except MeasurementError:
        require_alive(endpoint, _DYING_S)
        raise
    require_alive(endpoint, _DYING_S if measurement.errors else 0.0)
    return measurement
