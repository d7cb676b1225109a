"""The validated whole: what a measurement is told. Checks across fields live here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import BaseConfig
from pytest_aiperf.config.tolerance import Tolerance


class EndpointConfig(BaseConfig):
    """The server under test."""

    url: str = Field(description="http:// or https:// URL, without the API's own path.")
    type: str = Field(default="chat", description="Registered endpoint name.")
    model: str | None = Field(default=None, description="Model to ask for; None asks the server.")
    streaming: bool = Field(default=True, description="Ask for a stream.")
    request_timeout_s: FiniteFloat = Field(default=300.0, gt=0, description="Longest time for one request.")
    extra: Mapping[str, Any] = Field(
        default_factory=dict, description="Further fields of every request body."
    )

    @field_validator("url")
    @classmethod
    def _usable_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if "@" in parts.netloc:  # before any message that shows the URL
            raise ValueError("the URL holds credentials; put the API key into AIPERF_API_KEY")
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"{url!r} is not an http:// or https:// URL")
        if not parts.hostname:
            raise ValueError(f"{url!r} names no host")
        if parts.query or parts.fragment:
            raise ValueError("the URL has a ? or # part, behind which no API path can be put; leave it out")
        _ = parts.port  # raises for a port out of range
        return url.rstrip("/")


class LoadConfig(BaseConfig):
    """How it is loaded."""

    concurrency: int = Field(default=1, ge=1, description="Requests in flight.")
    request_count: int = Field(default=200, ge=1, description="Measured requests per run.")


class InputConfig(BaseConfig):
    """What it is asked."""

    isl: int = Field(default=128, ge=1, description="Words of a prompt.")
    osl: int = Field(default=64, ge=1, description="Tokens asked for.")
    seed: int = Field(default=1, ge=0, description="Seed of the prompts.")


class VerdictConfig(BaseConfig):
    """How it is judged."""

    mode: Literal["check", "measure", "quick"] = Field(default="check", description="What the run is for.")
    max_time_s: FiniteFloat | None = Field(default=None, gt=0, description="Time budget of the measurement.")
    max_mde: FiniteFloat | None = Field(default=None, gt=0, description="Largest MDE that a pass may have.")
    strict: bool = Field(default=False, description="The whole interval must lie beyond the tolerance.")
    tolerance: Mapping[str, Tolerance] = Field(
        default_factory=dict, description="By metric and statistic: {'ttft.p50': ...}."
    )
    metrics: tuple[str, ...] | None = Field(
        default=None, description="Judged metrics; None for the defaults."
    )


class AIPerfConfig(BaseConfig):
    """One measurement: endpoint, load, input, verdict."""

    endpoint: EndpointConfig = Field(description="The server under test.")
    load: LoadConfig = Field(default_factory=LoadConfig, description="How it is loaded.")
    input: InputConfig = Field(default_factory=InputConfig, description="What it is asked.")
    verdict: VerdictConfig = Field(default_factory=VerdictConfig, description="How it is judged.")
