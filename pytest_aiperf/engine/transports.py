"""PYTEST_DONT_REWRITE. Which transport carries a plan."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_aiperf.engine.address import Target
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.transport import Transport
from pytest_aiperf.plugin.plugins import get_class


def new_transport(plan: LoadPlan, targets: Sequence[Target]) -> Transport:
    """Return the transport that the plan names, not opened yet; ``auto`` is `wire`."""
    name = "wire" if plan.transport == "auto" else plan.transport
    transport: Transport = get_class("transport", name)(plan, targets)
    return transport
