"""PYTEST_DONT_REWRITE. What no URL of a server may hold, told before a header line or a document shows it."""

from __future__ import annotations

from typing import Final

_EMBEDDED: Final = "mock:"


def secret_in_url(url: str) -> str | None:
    """Return why this URL may not be shown, None when it may; the reason does not quote it.

    Any ``@`` counts: in a password with a ``/`` it stands behind what looks like the host. In a path it is ``%40``.
    """
    if url.strip().lower().startswith(_EMBEDDED):
        return None
    if "@" in url:
        return "the URL holds credentials; put the API key into AIPERF_API_KEY"
    if "?" in url or "#" in url:
        return "the URL has a ? or # part, behind which no API path can be put; leave it out"
    return None


def secret_in_proxy(url: str) -> str | None:
    """Return why this URL of a proxy may not be shown, None when it may."""
    return (
        "the proxy's URL holds credentials; put it into HTTPS_PROXY and write proxy=env"
        if "@" in url
        else None
    )
