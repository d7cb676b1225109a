"""Drives a transport by hand: exchanges are sent one by one, and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from scripted_server import BODY

from pytest_aiperf.common.records import ABSENT
from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine import LoadPlan
from pytest_aiperf.engine.address import parse_target
from pytest_aiperf.engine.request_bytes import RequestBytes
from pytest_aiperf.engine.transport import Exchange
from pytest_aiperf.engine.wire import WireTransport

DEADLINE_S = 10.0


class Driver:
    def __init__(self, plan: LoadPlan) -> None:
        targets = [parse_target(url) for url in plan.urls]
        self._requests = RequestBytes(plan, targets, ChatEndpoint())
        self._ends: dict[int, asyncio.Future[Exchange]] = {}
        self._sent = 0
        self.transport = WireTransport(plan, targets)
        self.ended: list[int] = []

    def on_end(self, exchange: Exchange) -> None:
        self.ended.append(exchange.index)
        self._ends[exchange.index].set_result(exchange)

    def send(self, *, conversation: int = ABSENT, last: bool = True, watch: Any = None) -> Exchange:
        exchange = Exchange(self._sent, 0, self._requests[self._sent])
        self._sent += 1
        exchange.conversation, exchange.last_of_conversation, exchange.watch = conversation, last, watch
        self._ends[exchange.index] = asyncio.get_running_loop().create_future()
        self.transport.send(exchange)
        return exchange

    async def end(self, exchange: Exchange) -> Exchange:
        return await asyncio.wait_for(self._ends[exchange.index], DEADLINE_S)

    async def request(self, **given: Any) -> Exchange:
        return await self.end(self.send(**given))


@asynccontextmanager
async def driving(server: Any, *, connections: int = 1, **fields: Any) -> AsyncIterator[Driver]:
    fields = {"url": getattr(server, "url", server), "bodies": [BODY], "concurrency": 1} | fields
    driver = Driver(LoadPlan(**fields))
    try:
        await driver.transport.open(connections, driver.on_end)
        yield driver
    finally:
        driver.transport.close()


async def until(condition: Any) -> None:
    """Wait until this is true."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)
