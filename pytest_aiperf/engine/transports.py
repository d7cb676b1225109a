"""PYTEST_DONT_REWRITE. Which transport carries a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.engine.address import Target
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.proxies import proxies_of
from pytest_aiperf.engine.transport import Transport
from pytest_aiperf.plugin.plugins import get_class

_WIRE: Final = "wire"
_PROXIED: Final = "aiohttp"


def new_transport(plan: LoadPlan, targets: Sequence[Target]) -> Transport:
    """Return the transport that the plan names, not opened yet; ``auto`` is `wire`, or `aiohttp` through a proxy.

    Raises:
        ConfigurationError: the transport is unknown, or it cannot do what the plan asks.
    """
    proxy = next(filter(None, proxies_of(plan, targets)), None)
    name = plan.transport.lower()
    if name == "auto":
        name = _WIRE if proxy is None else _PROXIED
    if name == _WIRE and proxy is not None:
        raise ConfigurationError(
            f"the transport 'wire' cannot go through the proxy {proxy}; set transport to 'auto' or 'aiohttp', "
            "or take the proxy away"
        )
    transport: Transport = get_class("transport", name)(plan, targets)
    return transport
