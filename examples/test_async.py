"""Inside an async test (here with asyncio alone; pytest-asyncio and anyio work the same way)."""

import asyncio

import pytest


@pytest.mark.aiperf(concurrency=4, osl=16, request_count=60)
def test_beside_other_work(aiperf):
    async def measure():
        ticks = 0
        measuring = asyncio.create_task(aiperf.arun())
        while not measuring.done():
            await asyncio.sleep(0.05)
            ticks += 1
        return await measuring, ticks

    result, ticks = asyncio.run(measure())
    assert result.itl.p50 < 1_000  # ms
    assert ticks > 1  # the event loop stayed free: the load runs in a process of its own
