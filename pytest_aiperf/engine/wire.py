"""PYTEST_DONT_REWRITE. The transport of our own: HTTP/1.1 on non-blocking sockets, stamped by the kernel.

An asyncio client between the socket and the record delays every stamp by what the loop was busy with just then. Here
the kernel says when a packet arrived, so a busy loop costs throughput and not exactness. asyncio's transports read
for themselves and lose the stamp; so the loop only tells that there is something to read, and `recvmsg` is called here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.engine.address import Address, Target, first_to_accept, resolve
from pytest_aiperf.engine.connection import READ_BYTES, Connection, Means
from pytest_aiperf.engine.deadlines import Deadlines
from pytest_aiperf.engine.kernel_stamps import keep_stamping_on
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.pool import NewConnection, Pool
from pytest_aiperf.engine.readiness import Readiness, new_readiness
from pytest_aiperf.engine.request_bytes import new_turns
from pytest_aiperf.engine.reuse import new_shelf
from pytest_aiperf.engine.transport import CANCELLED_BY_CUT, CANCELLED_BY_PLAN, Exchange, Failure

if TYPE_CHECKING:
    from ssl import SSLContext


class WireTransport:
    """A pool of connections for each target."""

    name = "wire"

    def __init__(self, plan: LoadPlan, targets: Sequence[Target]) -> None:
        """Raises ConfigurationError for certificate files that cannot be used."""
        self._plan = plan
        self._targets = targets
        self._turn_of = new_turns(plan)
        self._connections: set[Connection] = set()
        self._pools: list[Pool] = []
        self._only: Pool | None = None
        self._deadlines: Deadlines | None = None
        self._readiness: Readiness | None = None
        self._context: SSLContext | None = None
        if any(target.scheme == "https" for target in targets):
            from pytest_aiperf.engine.tls import new_context

            self._context = new_context(plan)
        self.proxy: str | None = None

    @property
    def reopened(self) -> int:
        return sum(pool.reopened for pool in self._pools)

    @property
    def timestamps(self) -> str:
        everybody: list[Pool | Connection] = [*self._pools, *self._connections]
        kernel = sum(one.kernel_reads for one in everybody)
        user = sum(one.user_reads for one in everybody)
        if kernel and user:
            return "mixed"
        return "kernel" if kernel else "user"

    # Opening and closing.

    async def open(self, connections: int, on_end: Callable[[Exchange], None]) -> None:
        """Open the connections ahead: for each target as many as of the first so many requests go to it."""
        keep_stamping_on()
        self._on_end = on_end
        self._readiness = new_readiness(asyncio.get_running_loop())
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._deadlines = Deadlines(self._plan, lambda: self._connections, Connection.fail)
        shares = Counter(map(self._turn_of, range(connections)))
        opened = await asyncio.gather(
            *(self._open_pool(target, shares[turn]) for turn, target in enumerate(self._targets)),
            return_exceptions=True,
        )
        failed = {}
        for target, pool in zip(self._targets, opened, strict=True):
            if isinstance(pool, Pool):
                self._pools.append(pool)
            elif isinstance(pool, EndpointError):
                failed[target.origin] = pool
            else:
                raise pool
        if failed:
            raise _unreachable(failed, len(self._targets))
        self._only = self._pools[0] if len(self._pools) == 1 else None

    async def _open_pool(self, target: Target, connections: int) -> Pool:
        timeout_s = self._plan.connect_timeout_s
        address, sock = await first_to_accept(await resolve(target, timeout_s), timeout_s)
        pool = self._new_pool(self._way_to(target, address))
        await pool.open(lambda connection: connection.adopt(sock), connections)
        return pool

    def _new_pool(self, way: NewConnection) -> Pool:
        reuse = self._plan.connection_reuse
        on_end = self._end_of_turn if reuse == "sticky" else self._on_end
        return Pool(self._plan, new_shelf(reuse), self._connections, on_end, way)

    def _way_to(self, target: Target, address: Address) -> NewConnection:
        assert self._readiness is not None
        loop, readiness, buffer = asyncio.get_running_loop(), self._readiness, self._buffer
        if self._context is None or target.scheme != "https":
            return partial(Connection, Means(loop=loop, readiness=readiness, address=address, buffer=buffer))
        from pytest_aiperf.engine.tls_connection import PLAIN_BYTES, TlsConnection, TlsMeans

        return partial(
            TlsConnection,
            TlsMeans(
                loop=loop,
                readiness=readiness,
                address=address,
                buffer=buffer,
                context=self._context,
                host=target.host,
                origin=target.origin,
                plain=memoryview(bytearray(PLAIN_BYTES)),
            ),
        )

    def close(self) -> None:
        if self._deadlines is not None:
            self._deadlines.stop()
        for connection in self._connections:
            connection.close()
        if self._readiness is not None:
            self._readiness.close()

    # Sending.

    def send(self, exchange: Exchange) -> None:
        pool = self._only or self._pools[self._turn_of(exchange.index)]
        pool.send(exchange)

    def cancel(self, exchange: Exchange) -> None:
        if exchange.carrier is not None:
            self._cancel(exchange, CANCELLED_BY_PLAN)

    def cancel_all(self) -> None:
        for connection in list(self._connections):
            if connection.exchange is not None:
                self._cancel(connection.exchange, CANCELLED_BY_CUT)

    def _cancel(self, exchange: Exchange, why: str) -> None:
        exchange.cancelled = True
        exchange.carrier.fail(Failure("cancelled", why))

    def end_conversation(self, conversation: int) -> None:
        """One connection per conversation and target: with several targets the last turn ends all of them."""
        for pool in self._pools:
            pool.end_conversation(conversation)

    def _end_of_turn(self, exchange: Exchange) -> None:
        if exchange.last_of_conversation:
            self.end_conversation(exchange.conversation)
        self._on_end(exchange)


def _unreachable(failed: dict[str, EndpointError], targets: int) -> EndpointError:
    if targets == 1:
        return next(iter(failed.values()))
    reasons = "; ".join(f"{origin}: {error}" for origin, error in failed.items())
    return EndpointError(f"{len(failed)} of the {targets} endpoints cannot be used. {reasons}")
