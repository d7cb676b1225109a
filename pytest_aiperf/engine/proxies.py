"""PYTEST_DONT_REWRITE. Whether requests go through a proxy, and through which."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.engine.address import Target
from pytest_aiperf.engine.plan import LoadPlan

FROM_ENVIRONMENT: Final = "env"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    """Value of the Proxy-Authorization header."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Without the credentials."""
        return f"http://{self}"


def proxies_of(plan: LoadPlan, targets: Sequence[Target]) -> list[Proxy | None]:
    """Return for each target the proxy that the plan, or with ``env`` the environment, has for it.

    Raises:
        ConfigurationError: what should be the URL of a proxy is not one.
    """
    if plan.proxy is None:
        return [None] * len(targets)
    if plan.proxy.lower() == FROM_ENVIRONMENT:
        return [_from_environment(target) for target in targets]
    proxy = parse_proxy(plan.proxy, "the proxy")
    return [proxy] * len(targets)


def parse_proxy(url: str, name: str) -> Proxy:
    """Take the URL of a proxy apart; `name` says in an error what it was.

    Raises:
        ConfigurationError: it is not of the form ``http://host:port``, perhaps with credentials.
    """
    with_scheme = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(with_scheme)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{name} {_shown(url)!r} cannot be read: {error}") from None
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise ConfigurationError(
            f"{name} {_shown(url)!r} is not of the form http://host:port; other kinds of proxies are not spoken to"
        )
    return Proxy(host=parts.hostname, port=port or 80, authorization=_authorization(parts))


def _from_environment(target: Target) -> Proxy | None:
    # Imported here, for it takes 30 ms. Where the variables name a proxy, `proxy_bypass` goes by NO_PROXY.
    from urllib.request import getproxies_environment, proxy_bypass

    url = getproxies_environment().get(target.scheme)
    if not url or proxy_bypass(f"{target.host}:{target.port}"):
        return None
    return parse_proxy(url, f"the proxy in {target.scheme.upper()}_PROXY")


def _authorization(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(credentials.encode()).decode('ascii')}"


def _shown(url: str) -> str:
    return url.rpartition("@")[2]
