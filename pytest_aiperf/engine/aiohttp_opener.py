"""PYTEST_DONT_REWRITE. Connections made by aiohttp: names, several addresses, TLS, proxies and their tunnels.

A session of aiohttp does not give a connection away. Its connector is a public seam though: `connect` is overridden
here and hands the open connection out by raising it, before a byte of a request is written. What then goes over the
connection is not aiohttp's business any more.
"""

from __future__ import annotations

import socket
from ssl import SSLContext, SSLError
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver

from pytest_aiperf.common.errors import EndpointError
from pytest_aiperf.engine.address import Target, reason_of, resolve
from pytest_aiperf.engine.proxies import Proxy
from pytest_aiperf.engine.tls import why_no_handshake
from pytest_aiperf.engine.transport import Failure

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult  # new in aiohttp 3.10

HeldConnection = aiohttp.connector.Connection
_PROXY_AUTHORIZATION: Final = "Proxy-Authorization"


class ConnectingError(Exception):
    """No connection came about; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Opener:
    """Opens connections, one for each call. It has no deadline of its own but for looking up a name."""

    def __init__(self, context: SSLContext | None, lookup_timeout_s: float) -> None:
        self._resolver = _Resolver(lookup_timeout_s)
        connector = _Connector(
            limit=0, use_dns_cache=False, resolver=self._resolver, ssl=True if context is None else context
        )
        # No timeouts, cookies or environment of aiohttp's: deadlines are the transport's, and proxies the plan's.
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        )

    async def open(self, target: Target, proxy: Proxy | None) -> HeldConnection:
        """Return an open connection, through a tunnel where an https target has a proxy.

        Raises:
            ConnectingError: it was refused, or no tunnel or no TLS came about.
            EndpointError: the host is unknown.
        """
        headers = {}
        if proxy is not None and proxy.authorization is not None and target.scheme == "https":
            headers[_PROXY_AUTHORIZATION] = proxy.authorization
        try:
            await self._session.post(
                f"{target.origin}/", proxy=None if proxy is None else proxy.url, proxy_headers=headers
            )
        except _Opened as opened:
            held = opened.connection
        except aiohttp.ClientError as error:
            raise ConnectingError(_failure_of(error, target, proxy)) from None
        assert held.transport is not None
        self._resolver.settle(held.transport.get_extra_info("peername"))
        return held

    def close(self) -> None:
        """Forget the session. It owns no connection: each was given away."""
        self._session.detach()


class _Opened(Exception):
    def __init__(self, connection: HeldConnection) -> None:
        super().__init__()
        self.connection = connection


class _Connector(aiohttp.TCPConnector):
    async def connect(self, *args: Any, **kwargs: Any) -> HeldConnection:
        raise _Opened(await super().connect(*args, **kwargs))


class _Resolver(AbstractResolver):
    """Asks for each name once in a run, and stays with the address that accepted: all requests go the same way."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._found: dict[tuple[str, int], list[ResolveResult]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = self._found.get((host, port))
        if found is None:
            target = Target(scheme="", host=host, port=port, path="", authority="")
            found = self._found[host, port] = [
                {
                    "hostname": host,
                    "host": address.sockaddr[0],
                    "port": port,
                    "family": address.family,
                    "proto": socket.IPPROTO_TCP,
                    "flags": socket.AI_NUMERICHOST,
                }
                for address in await resolve(target, self._timeout_s)
            ]
        return found

    def settle(self, peer: tuple[Any, ...]) -> None:
        """This address accepted: the name that has it among others stands for it alone from now on."""
        for key, found in self._found.items():
            if len(found) > 1 and key[1] == peer[1]:
                self._found[key] = [one for one in found if one["host"] == peer[0]] or found

    async def close(self) -> None:
        """There is nothing to close."""


def no_endpoint(failure: Failure) -> EndpointError:
    """Return what to tell the user where the first connection already comes to nothing."""
    if failure.type == "tls":
        return EndpointError(failure.message)
    reason = failure.message.removeprefix("cannot connect to ")
    return EndpointError(f"cannot connect to the endpoint: {reason}. Is it running, and is the port right?")


def place_of(target: Target, proxy: Proxy | None) -> str:
    """Return what is connected to, for a message."""
    if proxy is not None:
        return f"the proxy {proxy}"
    return f"[{target.host}]:{target.port}" if ":" in target.host else f"{target.host}:{target.port}"


def _failure_of(error: aiohttp.ClientError, target: Target, proxy: Proxy | None) -> Failure:
    match error:
        case aiohttp.ClientHttpProxyError():
            answer = f"HTTP {error.status} {error.message}".rstrip()
            reason = f"it made no tunnel to {target.authority} ({answer})"
        case aiohttp.ClientConnectorCertificateError(certificate_error=SSLError() as cause):
            return why_no_handshake(cause, target.origin)
        case aiohttp.ClientConnectorSSLError(os_error=SSLError(reason="WRONG_VERSION_NUMBER")):
            http = target.origin.replace("https:", "http:", 1)
            return Failure("tls", f"{target.origin} does not speak TLS; is it {http}?")
        case aiohttp.ClientConnectorSSLError(os_error=SSLError() as cause):
            return why_no_handshake(cause, target.origin)
        case aiohttp.ClientConnectorError() if target.scheme == "https" and error.os_error.errno is None:
            how = str(error.os_error) or "closed the connection"  # asyncio says nothing
            text = f"{target.origin} {how} during the TLS handshake; does it speak TLS there?"
            return Failure("tls", text)
        case aiohttp.ClientConnectorError():
            reason = reason_of(error.os_error, 0.0)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            reason = "it hung up before there was a connection"
        case _:
            reason = str(error) or type(error).__name__
    return Failure("connect", f"cannot connect to {place_of(target, proxy)}: {reason}")
