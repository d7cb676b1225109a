"""The server that answers at once: it costs so little that a client beside it is what limits."""

from __future__ import annotations

from contextlib import AbstractContextManager

from c_server import CServer, c_server


def token_server(tokens: int) -> AbstractContextManager[CServer]:
    """Serve streams of so many tokens, each answer in one piece."""
    return c_server("token_server", tokens)
