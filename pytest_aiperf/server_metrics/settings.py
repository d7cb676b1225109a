"""Which pages are read, how often, and how they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import BaseConfig
from pytest_aiperf.config.endpoint_config import EndpointConfig
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.server_metrics.sample import shown_url

PAGE: Final = "/metrics"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ServerMetricsSettings(BaseConfig):
    """What the service is given. Secrets are names of environment variables here, as everywhere."""

    bases: tuple[str, ...] = Field(description="URLs of the servers, without the API's path.")
    pages: tuple[str, ...] = Field(description="URLs of Prometheus pages.")
    interval_s: FiniteFloat = Field(default=1.0, ge=0.05, le=3600, description="Time between two looks.")
    deadline_s: FiniteFloat = Field(default=2.0, gt=0, le=60, description="Longest time for one answer.")
    max_bytes: int = Field(default=8 * 1024 * 1024, gt=0, description="Largest page that is read.")
    key_header: str = Field(default="authorization", description="Header that takes the API key.")
    headers: Mapping[str, str] = Field(default_factory=dict, description="Further request headers.")
    proxy: str | None = Field(default=None, description="HTTP proxy's URL, or env.")
    insecure: bool = Field(default=False, description="Accept any certificate.")
    ca_file: str | None = Field(default=None, description="Authorities to trust, PEM.")
    client_certificate: str | None = Field(default=None, description="Own certificate, PEM.")
    client_key: str | None = Field(default=None, description="Key of the own certificate, PEM.")

    @field_validator("pages", "bases")
    @classmethod
    def _usable_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if "@" in url:  # before any message that shows the URL
                raise ValueError(
                    "the URL of a metrics page holds credentials; put the key into AIPERF_API_KEY"
                )
            parts = urlsplit(url)
            if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
                raise ValueError(f"{url!r} is not an http:// or https:// URL of a metrics page")
            _ = parts.port  # raises for a port out of range
        shown = [shown_url(url) for url in dict.fromkeys(urls)]
        if twice := next((url for url in shown if shown.count(url) > 1), None):
            raise ValueError(
                f"{twice!r} is given twice with different queries, which cannot be told apart: name one"
            )
        return tuple(dict.fromkeys(urls))

    @classmethod
    def of_endpoint(cls, endpoint: EndpointConfig, pages: tuple[str, ...] = (), **given: Any) -> Self:
        """Return settings for these pages, those of the endpoint itself where none are named.

        They travel as the load does: same headers, certificates and proxy. The key goes to no other host or port.
        """
        spoken: type[BaseEndpoint] = plugins.get_class(PluginType.ENDPOINT, endpoint.type)
        bases = tuple(base_of(url, spoken.path) for url in endpoint.urls)
        return cls(
            bases=bases,
            pages=pages or tuple(base + PAGE for base in bases),
            key_header=spoken.key_header,
            headers=endpoint.headers,
            proxy=endpoint.proxy,
            insecure=endpoint.insecure,
            ca_file=endpoint.ca_file,
            client_certificate=endpoint.client_certificate,
            client_key=endpoint.client_key,
            **given,
        )

    def may_have_key(self, url: str) -> bool:
        """Whether this URL is of a server under test, so that it may be sent what the load sends."""
        return _origin(url) in {_origin(base) for base in self.bases}


def base_of(url: str, path: str) -> str:
    """Return the server's URL without the API's path, whether or not the user wrote it."""
    return url.rstrip("/").removesuffix(path).removesuffix("/v1").rstrip("/")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
