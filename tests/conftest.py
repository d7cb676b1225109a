"""Fixtures for the whole suite (systems.md K), and for no other: the plugin brings none of them to its users.

Nothing here makes `asyncio.sleep` instant for every test: most of them talk to real servers and processes, and a loop
that never sleeps would take their CPU. Who wants it asks for `instant_sleep`; the engine's tests have virtual time.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator

import pytest

from pytest_aiperf.plugin.plugins import REGISTRY

pytest_plugins = ["pytester"]
SEED = 42


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """K3: each test has the same random numbers, whatever ran before it."""
    random.seed(SEED)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(SEED)


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    """K4: what a test registers is gone with it."""
    REGISTRY.names("endpoint")  # it is read now, unless it was
    before = {category: dict(entries) for category, entries in REGISTRY._entries.items()}
    version = REGISTRY.version
    yield
    if REGISTRY.version != version:
        REGISTRY._entries = before
        REGISTRY.version += 1


@pytest.fixture
def instant_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """K1: `asyncio.sleep` takes no time, but gives way to others."""
    sleep = asyncio.sleep

    async def instant(delay: float, result: object = None) -> object:
        return await sleep(0, result)

    monkeypatch.setattr(asyncio, "sleep", instant)
