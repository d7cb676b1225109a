"""PYTEST_DONT_REWRITE. The transport of our own: HTTP/1.1 on non-blocking sockets, stamped by the kernel.

An asyncio client between the socket and the record delays every stamp by what the loop was busy with just then. Here
the kernel says when a packet arrived, so a busy loop costs throughput and not exactness. asyncio's transports read
for themselves and lose the stamp; so the loop only tells that there is something to read, and `recvmsg` is called here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import time_ns

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.engine.address import Target, first_to_accept, reason_of, resolve
from pytest_aiperf.engine.connection import READ_BYTES, Connection, Means
from pytest_aiperf.engine.deadlines import Deadlines
from pytest_aiperf.engine.kernel_stamps import keep_stamping_on
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.readiness import new_readiness
from pytest_aiperf.engine.response_reader import ResponseReader
from pytest_aiperf.engine.transport import Exchange, Failure


class WireTransport:
    """A keep-alive pool, last in first out, so that a slot gets its own connection back."""

    name = "wire"

    def __init__(self, plan: LoadPlan, targets: Sequence[Target]) -> None:
        self._plan = plan
        self._target = targets[0]
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._kernel_reads = 0
        self._user_reads = 0
        self._lost = 0
        self._deadlines: Deadlines | None = None
        self._means: Means | None = None
        self.reopened = 0
        self.proxy: str | None = None

    @property
    def timestamps(self) -> str:
        kernel = self._kernel_reads + sum(c.kernel_reads for c in self._all)
        user = self._user_reads + sum(c.user_reads for c in self._all)
        if kernel and user:
            return "mixed"
        return "kernel" if kernel else "user"

    # Opening and closing.

    async def open(self, connections: int, on_end: Callable[[Exchange], None]) -> None:
        if self._target.scheme == "https":
            raise EndpointError("https endpoints cannot be measured yet; give the server's http:// address")
        keep_stamping_on()
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        timeout_s = self._plan.connect_timeout_s
        address, first = await first_to_accept(await resolve(self._target, timeout_s), timeout_s)
        self._means = Means(
            loop=self._loop,
            readiness=new_readiness(self._loop),
            address=address,
            buffer=memoryview(bytearray(READ_BYTES)),
        )
        self._deadlines = Deadlines(self._plan, lambda: self._all, self._overdue)
        self._opening = connections
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._new_connection(None).adopt(first)
        for _ in range(connections - 1):
            self._connect(None)
        async with asyncio.timeout(2 * timeout_s + 1):
            await self._opened

    def _settled(self) -> None:
        """One of the connections that are opened ahead is there, or will not be: then its slot tries again."""
        self._opening -= 1
        if not self._opening:
            self._opened.set_result(None)

    def close(self) -> None:
        if self._deadlines is not None:
            self._deadlines.stop()
        for connection in self._all:
            connection.close()
        if self._means is not None:
            self._means.readiness.close()

    def cancel(self, exchange: Exchange) -> None:
        for connection in self._all:
            if connection.exchange is exchange:
                self._cancel(connection, "cancelled, as the plan has it")
                return

    def cancel_all(self) -> None:
        for connection in list(self._all):
            if connection.exchange is not None:
                self._cancel(connection, "cancelled: the run was cut short")

    def _cancel(self, connection: Connection, why: str) -> None:
        assert connection.exchange is not None
        connection.exchange.cancelled = True
        self.ended(connection, Failure("cancelled", why), time_ns())

    # Sending.

    def send(self, exchange: Exchange) -> None:
        if self._idle:
            self._idle.pop().start(exchange)
            return
        if self._lost:
            self._lost -= 1
            self.reopened += 1
        self._connect(exchange)

    def _connect(self, exchange: Exchange | None) -> None:
        connection = self._new_connection(exchange)
        try:
            connection.connect()
        except OSError as error:  # out of descriptors, mostly
            reason = f"{reason_of(error, 0.0)} with {len(self._all)} open; raise the limit (ulimit -n)"
            failure = Failure("connect", f"cannot open a socket: {reason}")
            self._loop.call_soon(self.ended, connection, failure, time_ns())

    def _new_connection(self, exchange: Exchange | None) -> Connection:
        plan, means = self._plan, self._means
        assert means is not None
        reader = ResponseReader(
            head_limit_bytes=plan.head_limit_bytes, body_limit_bytes=plan.body_limit_bytes
        )
        connection = Connection(means, reader, self)
        connection.exchange = exchange
        if exchange is not None:
            exchange.t0 = time_ns()  # stands if no connection comes about
        self._all.add(connection)
        return connection

    # What connections and deadlines report.

    def connected(self, connection: Connection) -> None:
        if connection.exchange is not None:
            connection.start(connection.exchange)
        else:
            self._idle.append(connection)
            self._settled()

    def ended(self, connection: Connection, failure: Failure | None, t_end: int) -> None:
        exchange = connection.exchange
        if exchange is None:
            self._discard(connection)
            self._settled()
            return
        if failure is not None and failure.type == "reset" and connection.untouched and connection.answers:
            # It had closed between two requests, which HTTP allows at any time: not a word of an answer came, so
            # the request goes out once more, on a new connection, and is measured from there.
            self._discard(connection)
            exchange.t_sent = 0
            self.reopened += 1
            self._connect(exchange)
            return
        connection.reader.hand_over(exchange)
        exchange.failure = failure
        exchange.t_end = t_end
        if failure is None and connection.reusable:
            connection.exchange = None
            connection.answers += 1
            self._idle.append(connection)
        else:
            self._discard(connection)
        self._on_end(exchange)

    def lost_idle(self, connection: Connection) -> None:
        self._idle.remove(connection)
        self._discard(connection)
        self._lost += 1

    def _overdue(self, connection: Connection, failure: Failure) -> None:
        self.ended(connection, failure, time_ns())

    def _discard(self, connection: Connection) -> None:
        if connection not in self._all:
            return
        self._all.discard(connection)
        self._kernel_reads += connection.kernel_reads
        self._user_reads += connection.user_reads
        connection.close()
