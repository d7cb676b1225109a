"""Options that say what is measured: the server and the API that it speaks."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from pytest_aiperf.config.cli_parameter import CLIParameter, Groups
from pytest_aiperf.config.coercion import parse_headers


class EndpointOptions(BaseModel):
    """The server under test."""

    endpoint: Annotated[
        str | None,
        Field(
            description="URL of the server under test, e.g. http://localhost:8000; several with commas, used in turn. "
            "mock:// starts the embedded server. Without it, pytest skips performance tests."
        ),
        CLIParameter(name=("--endpoint", "--url", "-u"), group=Groups.ENDPOINT, metavar="URL"),
    ] = None
    model: Annotated[
        str | None,
        Field(description="Model name to send. Default: the first that the server's /v1/models lists."),
        CLIParameter(
            name=("--model", "--model-names", "-m"), group=Groups.ENDPOINT, marker=True, metavar="NAME"
        ),
    ] = None
    endpoint_type: Annotated[
        str,
        Field(description="API that the endpoint speaks: a registered endpoint name."),
        CLIParameter(name=("--endpoint-type",), group=Groups.ENDPOINT, marker=True, metavar="NAME"),
    ] = "chat"
    custom_endpoint: Annotated[
        str | None,
        Field(description="Path below the URL, instead of the endpoint type's own, e.g. /v1/custom."),
        CLIParameter(name=("--custom-endpoint",), group=Groups.ENDPOINT, marker=True, metavar="PATH"),
    ] = None
    streaming: Annotated[
        bool | None,
        Field(
            description="Ask for a stream of messages; without it there is no TTFT and no ITL. Default: where the "
            "endpoint type can."
        ),
        CLIParameter(name=("--streaming",), group=Groups.ENDPOINT, marker=True),
    ] = None
    download_video_content: Annotated[
        bool,
        Field(description="Download each generated video too; its latency then ends with the last byte."),
        CLIParameter(name=("--download-video-content",), group=Groups.ENDPOINT, marker=True),
    ] = False
    headers: Annotated[
        dict[str, str] | None,
        BeforeValidator(parse_headers),
        Field(
            description="Further request headers: name:value pairs separated by commas, or a JSON object. A "
            "value $NAME is read from the environment when the requests are sent; secrets are "
            "accepted in this form only."
        ),
        CLIParameter(name=("--header", "-H"), group=Groups.ENDPOINT, marker=True, metavar="NAME:VALUE"),
    ] = None
