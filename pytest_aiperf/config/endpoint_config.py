"""The part of the configuration that says where requests go and how they travel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import BaseConfig
from pytest_aiperf.config.url_secrets import secret_in_proxy, secret_in_url
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType

PROXY_OF_ENVIRONMENT: Final = "env"


class EndpointConfig(BaseConfig):
    """The server under test."""

    url: str = Field(description="http:// or https:// URL, without the API's own path.")
    further_urls: tuple[str, ...] = Field(default=(), description="More of the kind, used in turn with it.")
    type: str = Field(default="chat", description="Registered endpoint name.")
    model: str | None = Field(default=None, description="Model to ask for; None asks the server.")
    custom_endpoint: str | None = Field(default=None, description="Path instead of the type's own.")
    streaming: bool = Field(default=True, description="Ask for a stream; by default where the type can.")
    download_video_content: bool = Field(default=False, description="Download generated videos.")
    headers: Mapping[str, str] = Field(
        default_factory=dict, description="Further request headers; $NAME is a variable of the environment."
    )
    extra: Mapping[str, Any] = Field(
        default_factory=dict, description="Further fields of every request body."
    )
    transport: Literal["auto", "wire", "aiohttp"] = Field(default="auto", description="What carries them.")
    connection_reuse_strategy: Literal["pooled", "never", "sticky-user-sessions"] = Field(
        default="pooled", description="Who shares a connection."
    )
    request_timeout_s: FiniteFloat = Field(default=300.0, gt=0, description="Longest time for one request.")
    connect_timeout_s: FiniteFloat = Field(default=10.0, gt=0, description="Longest time to connect.")
    first_byte_timeout_s: FiniteFloat | None = Field(
        default=None, gt=0, description="Longest wait for an answer; None: the request timeout."
    )
    stall_timeout_s: FiniteFloat | None = Field(
        default=None, gt=0, description="Longest silence within an answer; None: the request timeout."
    )
    insecure: bool = Field(default=False, description="Accept any certificate.")
    ca_file: str | None = Field(default=None, description="Authorities to trust, PEM.")
    client_certificate: str | None = Field(default=None, description="Own certificate, PEM.")
    client_key: str | None = Field(default=None, description="Key of the own certificate, PEM.")
    proxy: str | None = Field(default=None, description="HTTP proxy's URL, or env.")

    @property
    def urls(self) -> tuple[str, ...]:
        """All URLs, in turn."""
        return (self.url, *self.further_urls)

    @property
    def produces_tokens(self) -> bool:
        """Answers are tokens: of how many they shall be can be asked for, and their rates mean something."""
        return bool(plugins.entry(PluginType.ENDPOINT, self.type).metadata.get("produces_tokens", True))

    @field_validator("url")
    @classmethod
    def _usable_url(cls, url: str) -> str:
        if problem := secret_in_url(url):  # before any message that shows the URL
            raise ValueError(problem)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"{url!r} is not an http:// or https:// URL")
        if not parts.hostname:
            raise ValueError(f"{url!r} names no host")
        _ = parts.port  # raises for a port out of range
        return url.rstrip("/")

    @field_validator("type")
    @classmethod
    def _registered_type(cls, name: str) -> str:
        try:
            return plugins.entry(PluginType.ENDPOINT, name).name
        except ConfigurationError as error:
            raise ValueError(str(error)) from None

    @field_validator("custom_endpoint")
    @classmethod
    def _usable_path(cls, path: str | None) -> str | None:
        if path is not None and (not path.startswith("/") or any(c.isspace() or ord(c) < 33 for c in path)):
            raise ValueError(f"{path!r} is not a path that begins with / and has no blanks")
        return path

    @model_validator(mode="before")
    @classmethod
    def _stream_where_possible(cls, given: Any) -> Any:
        """Ask a type that cannot stream, or seldom does, for whole answers, unless the user says otherwise."""
        if not isinstance(given, Mapping) or given.get("streaming") is not None:
            return given
        try:
            told = plugins.entry(PluginType.ENDPOINT, given.get("type") or "chat").metadata
        except ConfigurationError:
            return given  # the field's own validator words it
        usual = told.get("streams_by_default", told.get("supports_streaming", True))
        return dict(given) | {"streaming": bool(usual)}

    @field_validator("further_urls")
    @classmethod
    def _usable_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cls._usable_url(url) for url in urls)

    @field_validator("proxy")
    @classmethod
    def _usable_proxy(cls, proxy: str | None) -> str | None:
        if proxy is None or proxy == PROXY_OF_ENVIRONMENT:
            return proxy
        if problem := secret_in_proxy(proxy):
            raise ValueError(problem)
        parts = urlsplit(proxy)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{proxy!r} is not of the form http://host:port; write that, or env")
        _ = parts.port
        return proxy

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        told = plugins.entry(PluginType.ENDPOINT, self.type).metadata
        if self.streaming and not told.get("supports_streaming", True):
            raise ValueError(f"the endpoint type {self.type!r} does not stream; give streaming=False")
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("client_key is given without client_certificate; give both")
        if self.insecure and self.ca_file is not None:
            raise ValueError("insecure accepts any certificate, ca_file says which; give one of them")
        if self.transport == "wire" and self.proxy is not None:
            raise ValueError("transport=wire knows no proxy; leave the transport out, or say aiohttp")
        return self
