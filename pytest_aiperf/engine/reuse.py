"""PYTEST_DONT_REWRITE. Which connection carries which request: where idle ones lie, and who may take them."""

from __future__ import annotations

from typing import Final, Protocol

from pytest_aiperf.engine.connection import Connection
from pytest_aiperf.engine.plan import ConnectionReuse
from pytest_aiperf.engine.transport import Exchange


class Shelf(Protocol):
    """Where the idle connections of one target lie."""

    opens_ahead: bool
    """Connections are opened before the run, for whichever request comes first."""
    reopened: int
    """How often `take` missed a connection that the server had closed."""

    def take(self, exchange: Exchange) -> Connection | None:
        """Return the connection for this exchange; None: a new one has to be made."""

    def keep(self, connection: Connection, exchange: Exchange | None) -> bool:
        """Lay down a connection that this exchange leaves, or that was opened ahead; False: it is to be closed."""

    def lose(self, connection: Connection) -> None:
        """The server closed a connection that lies here."""

    def end_conversation(self, conversation: int) -> Connection | None:
        """Return the connection that nobody will ask for any more, to be closed."""


class _Pooled:
    """Kept open and shared, last in first out, so that a slot gets its own connection back."""

    opens_ahead = True

    def __init__(self) -> None:
        self._idle: list[Connection] = []
        self._lost = 0
        self.reopened = 0

    def take(self, exchange: Exchange) -> Connection | None:
        if self._idle:
            return self._idle.pop()
        if self._lost:
            self._lost -= 1
            self.reopened += 1
        return None

    def keep(self, connection: Connection, exchange: Exchange | None) -> bool:
        self._idle.append(connection)
        return True

    def lose(self, connection: Connection) -> None:
        self._idle.remove(connection)
        self._lost += 1

    def end_conversation(self, conversation: int) -> None:
        return None


class _Never:
    """A connection for each request."""

    opens_ahead = False

    def __init__(self) -> None:
        self.reopened = 0

    def take(self, exchange: Exchange) -> None:
        return None

    def keep(self, connection: Connection, exchange: Exchange | None) -> bool:
        return False

    def lose(self, connection: Connection) -> None:
        """None lies here."""

    def end_conversation(self, conversation: int) -> None:
        return None


class _Sticky:
    """A connection for each conversation, from its first request to its last.

    None is opened ahead: the first conversations of a run would not pay for connecting, and all later ones would. Of
    requests of one conversation that run at the same time each has its own, and the first that ends leaves its one to
    those that follow. A request without a conversation is one by itself.
    """

    opens_ahead = False

    def __init__(self) -> None:
        self._idle: dict[int, Connection | None] = {}
        """By conversation; None: the server closed it."""
        self.reopened = 0

    def take(self, exchange: Exchange) -> Connection | None:
        conversation = exchange.conversation
        if conversation not in self._idle:
            return None
        connection = self._idle.pop(conversation)
        if connection is None:
            self.reopened += 1
        return connection

    def keep(self, connection: Connection, exchange: Exchange | None) -> bool:
        return exchange is not None and self._idle.setdefault(exchange.conversation, connection) is connection

    def lose(self, connection: Connection) -> None:
        for conversation, idle in self._idle.items():
            if idle is connection:
                self._idle[conversation] = None
                return

    def end_conversation(self, conversation: int) -> Connection | None:
        return self._idle.pop(conversation, None)


_SHELVES: Final[dict[ConnectionReuse, type[Shelf]]] = {
    "pooled": _Pooled,
    "never": _Never,
    "sticky": _Sticky,
}


def new_shelf(reuse: ConnectionReuse) -> Shelf:
    """Return the shelf for one target."""
    return _SHELVES[reuse]()
