"""Options that say how requests travel: connections, time limits, TLS, proxy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups
from pytest_aiperf.config.coercion import parse_duration_s


class TransportOptions(BaseModel):
    """Connections, time limits, TLS, proxy."""

    transport: Annotated[
        Literal["auto", "wire", "aiohttp"],
        Field(
            description="What carries the requests. wire: kernel timestamps, no proxy. aiohttp: timestamps "
            "taken by this program. auto: wire, and aiohttp where there is a proxy."
        ),
        CLIParameter(name=("--transport", "--transport-type"), group=Groups.TRANSPORT, marker=True),
    ] = "auto"
    connection_reuse_strategy: Annotated[
        Literal["pooled", "never", "sticky-user-sessions"],
        Field(
            description="pooled: connections are kept open and shared. never: each request opens its own. "
            "sticky-user-sessions: each conversation has its own."
        ),
        CLIParameter(name=("--connection-reuse-strategy",), group=Groups.TRANSPORT, marker=True),
    ] = "pooled"
    request_timeout: Annotated[
        FiniteFloat,
        BeforeValidator(parse_duration_s),
        Field(
            gt=0,
            le=86_400,
            description="Longest time for one request, from its first byte to the end of the answer, in "
            "seconds (or 90s, 5m).",
        ),
        CLIParameter(
            name=("--request-timeout", "--request-timeout-seconds"),
            group=Groups.TRANSPORT,
            marker=True,
            metavar="TIME",
        ),
    ] = 300.0
    connect_timeout: Annotated[
        FiniteFloat,
        BeforeValidator(parse_duration_s),
        Field(gt=0, le=86_400, description="Longest time to open a connection, in seconds (or 500ms)."),
        CLIParameter(name=("--connect-timeout",), group=Groups.TRANSPORT, marker=True, metavar="TIME"),
    ] = 10.0
    first_byte_timeout: Annotated[
        FiniteFloat | None,
        BeforeValidator(parse_duration_s),
        Field(
            gt=0,
            le=86_400,
            description="Longest wait for the first byte of an answer, in seconds (or 90s). Default: the "
            "request timeout.",
        ),
        CLIParameter(name=("--first-byte-timeout",), group=Groups.TRANSPORT, marker=True, metavar="TIME"),
    ] = None
    stall_timeout: Annotated[
        FiniteFloat | None,
        BeforeValidator(parse_duration_s),
        Field(
            gt=0,
            le=86_400,
            description="Longest silence within an answer that has begun, in seconds (or 90s). Default: the "
            "request timeout.",
        ),
        CLIParameter(name=("--stall-timeout",), group=Groups.TRANSPORT, marker=True, metavar="TIME"),
    ] = None
    insecure: Annotated[
        bool,
        Field(description="Accept any certificate of an https endpoint; the result says so."),
        CLIParameter(name=("--insecure",), group=Groups.TRANSPORT, marker=True),
    ] = False
    ca_file: Annotated[
        str | None,
        Field(min_length=1, description="PEM file with the authorities to trust instead of the system's."),
        CLIParameter(name=("--ca-file",), group=Groups.TRANSPORT, marker=True, metavar="FILE", path=True),
    ] = None
    client_certificate: Annotated[
        str | None,
        Field(
            min_length=1,
            description="PEM file with a certificate for servers that ask for one, and its key unless "
            "client_key is given.",
        ),
        CLIParameter(
            name=("--client-certificate",), group=Groups.TRANSPORT, marker=True, metavar="FILE", path=True
        ),
    ] = None
    client_key: Annotated[
        str | None,
        Field(min_length=1, description="PEM file with the key of the client certificate."),
        CLIParameter(name=("--client-key",), group=Groups.TRANSPORT, marker=True, metavar="FILE", path=True),
    ] = None
    proxy: Annotated[
        str | None,
        Field(
            min_length=1,
            description="URL of an HTTP proxy; env: as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say. Default: "
            "none, whatever they say.",
        ),
        CLIParameter(name=("--proxy",), group=Groups.TRANSPORT, marker=True, metavar="URL"),
    ] = None
