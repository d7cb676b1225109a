"""`pytest-aiperf mock-server`: the embedded OpenAI-compatible server, by hand."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="mock-server", help="Run the embedded OpenAI-compatible server until Ctrl-C.")


@app.default
def mock_server(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8000,
    options: Annotated[
        str,
        Parameter(name=("--options",), help="As in mock://?…, e.g. 'ttft_ms=30&itl_ms=4&osl=32&jitter=0.1'."),
    ] = "",
) -> None:
    """Run the embedded OpenAI-compatible server until Ctrl-C."""
    from pytest_aiperf.common.errors import ConfigurationError
    from pytest_aiperf.mock_server.listener import listen
    from pytest_aiperf.mock_server.options import MockOptions
    from pytest_aiperf.mock_server.server import MockServer

    try:
        settings = MockOptions.from_url(f"mock://?{options}" if options else "mock://")
        sock = listen(host, port)
    except (ConfigurationError, OSError) as error:
        print(f"pytest-aiperf mock-server: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    server = MockServer(settings, sock)
    stop_read, stop_write = os.pipe()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os.close(stop_write))
    print(f"listening on http://{host}:{server.port} (Ctrl-C ends it)", flush=True)
    server.run(stop_read)
