"""PYTEST_DONT_REWRITE. The connections to one target, and what becomes of the exchanges on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import time_ns
from typing import Final

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.engine.address import reason_of
from pytest_aiperf.engine.connection import Connection, Owner
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.response_reader import ResponseReader
from pytest_aiperf.engine.reuse import Shelf
from pytest_aiperf.engine.transport import Exchange, Failure

_REQUEST_TIMEOUT: Final = 408
NewConnection = Callable[[ResponseReader, Owner], Connection]


class Pool:
    """Sends exchanges to its target, over the connections that its shelf has, or over new ones."""

    def __init__(
        self,
        plan: LoadPlan,
        shelf: Shelf,
        connections: set[Connection],
        on_end: Callable[[Exchange], None],
        new_connection: NewConnection,
    ) -> None:
        """`connections` are those of all pools: each adds its own and takes them out again."""
        self._plan = plan
        self._shelf = shelf
        self._connections = connections
        self._on_end = on_end
        self._new = new_connection
        self._loop = asyncio.get_running_loop()
        self._opening = 0
        self._opened: asyncio.Future[Failure | None] = self._loop.create_future()
        self._sent_again = 0
        self.kernel_reads = 0
        """Of connections that are closed."""
        self.user_reads = 0

    @property
    def reopened(self) -> int:
        """Idle connections that the server had closed and that were opened again."""
        return self._shelf.reopened + self._sent_again

    # Opening ahead.

    async def open(self, begin: Callable[[Connection], None], connections: int) -> None:
        """Try one connection, which `begin` takes up, and then open as many as the shelf wants.

        Raises:
            EndpointError: the first one came to nothing.
        """
        failure = await self._open_ahead(1, begin)
        if failure is not None:
            raise EndpointError(failure.message)
        if self._shelf.opens_ahead and connections > 1:
            await self._open_ahead(connections - 1, lambda connection: connection.connect())

    async def _open_ahead(self, count: int, begin: Callable[[Connection], None]) -> Failure | None:
        """Open connections without an exchange; returns why the last one came to nothing, if it did."""
        self._opening, self._opened = count, self._loop.create_future()
        for _ in range(count):
            self._begin(self._add(None), begin)
        async with asyncio.timeout(
            2 * self._plan.connect_timeout_s + 1
        ):  # they have a deadline of their own each
            return await self._opened

    def _settled(self, failure: Failure | None) -> None:
        """One of the connections that are opened ahead is there, or will not be: then its slot tries again."""
        self._opening -= 1
        if not self._opening and not self._opened.done():
            self._opened.set_result(failure)

    # Sending.

    def send(self, exchange: Exchange) -> None:
        """Send this exchange's request now, or as soon as there is a connection for it."""
        connection = self._shelf.take(exchange)
        if connection is None:
            self._connect(exchange)
        else:
            exchange.carrier = connection
            connection.start(exchange)

    def end_conversation(self, conversation: int) -> None:
        """Close the connection that was kept for this conversation."""
        connection = self._shelf.end_conversation(conversation)
        if connection is not None:
            self._discard(connection)

    def _connect(self, exchange: Exchange) -> None:
        connection = self._add(exchange)
        exchange.carrier = connection
        exchange.t0 = time_ns()  # stands if no connection comes about
        self._begin(connection, lambda connection: connection.connect())

    def _add(self, exchange: Exchange | None) -> Connection:
        plan = self._plan
        reader = ResponseReader(
            head_limit_bytes=plan.head_limit_bytes,
            body_limit_bytes=plan.body_limit_bytes,
            message_limit_bytes=plan.message_limit_bytes if plan.streaming else None,
        )
        connection = self._new(reader, self)
        connection.exchange = exchange
        self._connections.add(connection)
        return connection

    def _begin(self, connection: Connection, begin: Callable[[Connection], None]) -> None:
        try:
            begin(connection)
        except OSError as error:  # out of descriptors, mostly
            reason = (
                f"{reason_of(error, 0.0)} with {len(self._connections)} open; raise the limit (ulimit -n)"
            )
            failure = Failure("connect", f"cannot open a socket: {reason}")
            self._loop.call_soon(self._not_begun, connection, failure)

    def _not_begun(self, connection: Connection, failure: Failure) -> None:
        if connection in self._connections:  # else it was cancelled meanwhile
            self.ended(connection, failure, time_ns())

    # What connections report.

    def connected(self, connection: Connection) -> None:
        exchange = connection.exchange
        if exchange is not None:
            exchange.connecting_ns = time_ns() - connection.begun_ns
            connection.start(exchange)
            return
        if not (self._shelf.opens_ahead and self._shelf.keep(connection, None)):
            self._discard(connection)
        self._settled(None)

    def ended(self, connection: Connection, failure: Failure | None, t_end: int) -> None:
        exchange = connection.exchange
        if exchange is None:
            self._discard(connection)
            self._settled(failure)
            return
        if connection.answers and _is_no_answer(connection, exchange, failure):
            # It goes out once more, on a new connection, and is measured from there.
            self._discard(connection)
            exchange.t_sent = 0
            self._sent_again += 1
            self._connect(exchange)
            return
        connection.reader.hand_over(exchange)
        exchange.failure = failure
        exchange.t_end = t_end
        exchange.carrier = None
        reusable = failure is None and connection.reusable
        connection.exchange = None
        connection.answers += 1
        if not (reusable and self._shelf.keep(connection, exchange)):
            self._discard(connection)
        self._on_end(exchange)

    def lost_idle(self, connection: Connection) -> None:
        self._shelf.lose(connection)
        self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        self._connections.discard(connection)
        connection.exchange = None
        self.kernel_reads += connection.kernel_reads
        self.user_reads += connection.user_reads
        connection.close()


def _is_no_answer(connection: Connection, exchange: Exchange, failure: Failure | None) -> bool:
    """Whether the server had given up the connection between two requests, which HTTP allows at any time.

    It hung up without a word; or what it said came before the request left; or it said that it waited too long and
    closes. Time alone does not tell the last one: the kernel may merge the words with the end of the connection, and
    stamps them with the later one.
    """
    if exchange.cancelled:
        return False
    if failure is not None and connection.untouched:
        return failure.type == "reset"
    reader = connection.reader
    return 0 < reader.t_hdr < exchange.t0 or (reader.status == _REQUEST_TIMEOUT and not reader.keep_alive)
