"""Is a user's server there yet? One GET at a time, with the key of the endpoint and through no proxy."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pytest_aiperf.common.errors import ConfigurationError

if TYPE_CHECKING:
    from http.client import HTTPConnection

TIMEOUT_S: Final = 5.0
_HINTS: Final = {
    401: "; is AIPERF_API_KEY the key that the server wants?",
    403: "; is AIPERF_API_KEY the key that the server wants?",
    404: "; where does this server tell that it is ready? Often ready_path='/health'",
}


def address(url: str) -> tuple[str, int]:
    """Return host and port of a server's URL.

    Raises:
        ConfigurationError: it is no http or https URL, or its port cannot be.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"the server's url is {url!r}: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"the server's url is {url!r}; it must look like http://127.0.0.1:8000")
    return host, port or (443 if parts.scheme == "https" else 80)


def something_listens(url: str) -> bool:
    """Tell whether a connection is accepted at the URL's address."""
    try:
        socket.create_connection(address(url), timeout=TIMEOUT_S).close()
    except OSError:
        return False
    return True


def problem_of(url: str, path: str) -> str | None:
    """Return why the server is not ready; None when a GET of the path is answered with 2xx."""
    from http.client import HTTPException

    from pytest_aiperf.common.header_values import api_key

    key = api_key()
    connection = _connection(url)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        status = connection.getresponse().status
    except ConnectionRefusedError:
        return "nothing listens there"
    except (OSError, HTTPException) as error:
        return f"the last try said {error or type(error).__name__}"
    finally:
        connection.close()
    return None if 200 <= status < 300 else f"the last answer was HTTP {status}{_HINTS.get(status, '')}"


def _connection(url: str) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    host, port = address(url)
    if not url.startswith("https"):
        return HTTPConnection(host, port, timeout=TIMEOUT_S)
    import ssl

    return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
