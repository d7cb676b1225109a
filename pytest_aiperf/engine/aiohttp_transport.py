"""PYTEST_DONT_REWRITE. The transport for what `wire` declines: proxies. aiohttp connects, and all else is as in `wire`.

aiohttp's client could carry the requests too, but it reads answers in tasks, behind a parser of its own, over one pool
that knows nothing of conversations. Its connector is what it has over `wire`. So requests are the same bytes here, and
answers go through the same reader, pools and deadlines and fail with the same words. The stamps are not the
kernel's: see `aiohttp_connection` for where they are taken.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from functools import partial

from pytest_aiperf.engine.address import Address, Target
from pytest_aiperf.engine.aiohttp_connection import AiohttpConnection, AiohttpMeans, DirectConnection
from pytest_aiperf.engine.aiohttp_opener import ConnectingError, HeldConnection, Opener, no_endpoint, place_of
from pytest_aiperf.engine.connection import Connection
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.pool import NewConnection, Pool
from pytest_aiperf.engine.proxies import Proxy, proxies_of
from pytest_aiperf.engine.transport import Failure
from pytest_aiperf.engine.wire import WireTransport


class AiohttpTransport(WireTransport):
    """A pool of connections for each target."""

    name = "aiohttp"

    def __init__(self, plan: LoadPlan, targets: Sequence[Target]) -> None:
        """Raises ConfigurationError for certificate files or a proxy that cannot be used."""
        super().__init__(plan, targets)
        self._proxy_of = dict(zip(targets, proxies_of(plan, targets), strict=True))
        self._opener: Opener | None = None
        self.proxy = next((str(proxy) for proxy in self._proxy_of.values() if proxy is not None), None)

    async def _open_pool(self, target: Target, connections: int) -> Pool:
        proxy = self._proxy_of[target]
        if self._opener is None:
            self._opener = Opener(self._context, self._plan.connect_timeout_s)
        held = await self._first(self._opener, target, proxy)
        pool = self._new_pool(self._way(self._opener, target, proxy))

        def begin(connection: Connection) -> None:
            assert isinstance(connection, AiohttpConnection)
            connection.take_over(held)

        await pool.open(begin, connections)
        return pool

    def _way(self, opener: Opener, target: Target, proxy: Proxy | None) -> NewConnection:
        assert self._readiness is not None
        kind = DirectConnection if proxy is None and target.scheme == "http" else AiohttpConnection
        means = AiohttpMeans(
            loop=asyncio.get_running_loop(),
            readiness=self._readiness,
            address=Address(family=socket.AF_UNSPEC, sockaddr=(target.host, target.port)),
            buffer=self._buffer,
            opener=opener,
            target=target,
            proxy=proxy,
        )
        return partial(kind, means)

    async def _first(self, opener: Opener, target: Target, proxy: Proxy | None) -> HeldConnection:
        """Open one connection: it shows that the endpoint is there, and which of its addresses accepts."""
        limit_s = self._plan.connect_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await opener.open(target, proxy)
        except ConnectingError as error:
            raise no_endpoint(error.failure) from None
        except TimeoutError:
            text = f"{place_of(target, proxy)}: no answer within {limit_s:g} s"
            raise no_endpoint(Failure("timeout", text)) from None

    def close(self) -> None:
        super().close()
        if self._opener is not None:
            self._opener.close()
