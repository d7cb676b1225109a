"""The listening socket."""

from __future__ import annotations

import socket
import sys
from typing import Final

BACKLOG: Final = 4096
_SO_TIMESTAMPNS: Final = 35  # Linux; Python has no name for it


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Return a non-blocking listening socket; port 0 takes a free one. Raises OSError."""
    sock = bind(host, port)
    sock.listen(BACKLOG)
    return sock


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that holds the port but does not listen: connections to it are refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":
            # Connections inherit it. Asked for here and not when they are accepted, because the kernel switches
            # stamping on for the whole machine a moment after the first socket asks: the first requests would miss it.
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
