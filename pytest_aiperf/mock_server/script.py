"""PYTEST_DONT_REWRITE. What an answer consists of, as bytes that are ready to be sent."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_aiperf.mock_server.http_reply import closing

if TYPE_CHECKING:
    from collections.abc import Sequence


class End(enum.IntEnum):
    """What becomes of the connection after the last message."""

    KEEP = 0
    CLOSE = 1
    RESET = 2
    SILENT = 3
    """Nothing more is sent; the client has to hang up."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """An answer: a head that goes out at once, and messages that each have their time."""

    outcome: str
    """For the log: ``ok``, the fault's name or ``http_<status>``."""
    head: bytes
    messages: Sequence[bytes] = ()
    tail: bytes = b""
    """Goes out together with the last message."""
    tokens: int = 0
    """So many of the messages, from the first, carry content: their sends are logged."""
    lead: int = 0
    """Token with which the first message is due: an answer that is not streamed comes with its last one."""
    end: End = End.KEEP

    @cached_property
    def whole(self) -> bytes:
        """All of it, for an answer without delays."""
        return b"".join((self.head, *self.messages, self.tail))

    def closing(self) -> Script:
        """Return the same answer, with a head that announces the end of the connection."""
        if self.head:
            return replace(self, head=closing(self.head))
        if self.messages:
            return replace(self, messages=(closing(self.messages[0]), *self.messages[1:]))
        return self
