"""What this suite's own fixtures do (systems.md K1 to K4)."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from pytest_aiperf.plugin import plugins


@pytest.mark.asyncio
async def test_an_instant_sleep_gives_way_and_returns_its_result(instant_sleep):
    """K1."""
    order = []

    async def other():
        order.append("other")

    task = asyncio.create_task(other())
    began_s = time.monotonic()
    assert await asyncio.sleep(3600, "result") == "result"
    assert order == ["other"]
    assert time.monotonic() - began_s < 60
    await task


@pytest.mark.asyncio
async def test_timeouts_work_beside_it(instant_sleep):
    """K2."""

    async def sleep_for_ever():
        while True:
            await asyncio.sleep(3600)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sleep_for_ever(), 0.02)


@pytest.mark.parametrize("again", range(2))
def test_each_test_has_the_same_random_numbers(again):
    """K3."""
    assert [random.randrange(1000) for _ in range(3)] == [654, 114, 25]


@pytest.mark.parametrize("again", range(2))
def test_what_a_test_registers_is_gone_with_it(again):
    """K4."""
    assert "left_behind" not in plugins.names("endpoint")
    plugins.register("endpoint", "left_behind", "module:Class")


def test_users_get_none_of_them(pytester):
    """K: they are never installed into the suites of users."""
    result = pytester.runpytest_subprocess("--fixtures", "-v", "-q")
    for name in ("instant_sleep", "same_numbers", "own_registry"):
        result.stdout.no_fnmatch_line(f"*{name}*")
