"""PYTEST_DONT_REWRITE. From a URL to the one socket address that a run uses, found out before anything is measured.

Of a name with several addresses (``localhost`` is two) each is tried, the next one a quarter of a second after the
last or as soon as that failed (RFC 8305, without its sorting). The first that accepts serves the whole run, so that
all its requests take the same way.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pytest_aiperf.common.errors import ConfigurationError, EndpointError
from pytest_aiperf.engine.kernel_stamps import request_stamps

_STAGGER_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a URL points to."""

    scheme: str
    host: str
    port: int
    path: str
    """Path and query, as they go into the request line."""
    authority: str
    """Value of the Host header."""

    @property
    def origin(self) -> str:
        """Without the path, whose query may hold what is not to be shown."""
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One socket address."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]

    def __str__(self) -> str:
        host, port = self.sockaddr[:2]
        return f"[{host}]:{port}" if self.family == socket.AF_INET6 else f"{host}:{port}"


def parse_target(url: str) -> Target:
    """Take a URL apart.

    Raises:
        ConfigurationError: it is not an http(s) URL with a host, or it holds credentials.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"the URL {url!r} cannot be read: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"the URL {_shown(url)!r} is not of the form http://host:port/path")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            f"the URL of {parts.hostname} holds credentials; set AIPERF_API_KEY in the environment instead"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or any(c <= " " for c in path):
        raise ConfigurationError(f"the path {path!r} holds characters that must be percent-encoded")
    host = parts.hostname
    name = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
    return Target(
        scheme=parts.scheme,
        host=host,
        port=port if port is not None else (443 if parts.scheme == "https" else 80),
        path=path,
        authority=name if port is None else f"{name}:{port}",
    )


def _shown(url: str) -> str:
    return url.rpartition("@")[2]


async def resolve(target: Target, timeout_s: float) -> list[Address]:
    """Return the addresses of a host, in the resolver's order.

    Raises:
        EndpointError: the name is unknown, or the resolver took longer than `timeout_s`.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise EndpointError(
            f"looking up {target.host!r} took longer than {timeout_s:g} s; check the name service"
        ) from error
    except (socket.gaierror, UnicodeError) as error:
        raise EndpointError(f"unknown host {target.host!r} ({error}); check the endpoint's URL") from error
    return list(
        dict.fromkeys(Address(family=family, sockaddr=sockaddr) for family, _, _, _, sockaddr in found)
    )


async def first_to_accept(addresses: list[Address], timeout_s: float) -> tuple[Address, socket.socket]:
    """Return the first address that accepts a connection, and that connection.

    Raises:
        EndpointError: none did; the message has each one's reason.
    """
    reasons: list[str] = []
    running: dict[asyncio.Task[socket.socket], Address] = {}
    waiting = list(addresses)
    try:
        while waiting or running:
            if waiting:
                address = waiting.pop(0)
                running[asyncio.create_task(_try(address, timeout_s))] = address
            done, _ = await asyncio.wait(
                running, timeout=_STAGGER_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                address = running.pop(task)
                error = task.exception()
                if error is None:
                    return address, task.result()
                if not isinstance(error, OSError):
                    raise error
                reasons.append(f"{address}: {reason_of(error, timeout_s)}")
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    raise EndpointError(
        f"cannot connect to the endpoint: {'; '.join(reasons)}. Is it running, and is the port right?"
    )


async def _try(address: Address, timeout_s: float) -> socket.socket:
    sock = new_socket(address)
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def new_socket(address: Address) -> socket.socket:
    """Return a socket for this address: non-blocking, without Nagle's delay, stamped by the kernel."""
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request_stamps(sock)
    return sock


def reason_of(error: OSError, timeout_s: float) -> str:
    """Return why a connection failed, in a few words."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return f"no answer within {timeout_s:g} s"
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
