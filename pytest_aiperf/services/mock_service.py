"""The embedded mock server in a process of its own: its timing must not share an interpreter with the load."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Final, Self

from pytest_aiperf.common.errors import ConfigurationError, MeasurementError
from pytest_aiperf.services.process import ServiceProcess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_aiperf.mock_server.options import MockOptions
    from pytest_aiperf.mock_server.server import MockServer
    from pytest_aiperf.services.channel import Channel

HOST: Final = "127.0.0.1"
REPLY_S: Final = 30.0


class MockService:
    """The child's side. Any message, and the end of the parent, stop it."""

    def __init__(self, channel: Channel, config: Mapping[str, Any]) -> None:
        self._channel = channel
        self._config = config
        self._server: MockServer | None = None

    def make_ready(self) -> dict[str, Any]:
        """Listen; return the port."""
        from pytest_aiperf.mock_server.listener import listen
        from pytest_aiperf.mock_server.options import MockOptions
        from pytest_aiperf.mock_server.server import MockServer

        options = MockOptions.from_dict(self._config["options"])
        try:
            sock = listen(HOST, self._config["port"])
        except OSError as error:
            raise ConfigurationError(
                f"mock server: cannot listen on {HOST}:{self._config['port']}: {error}"
            ) from error
        self._server = MockServer(options, sock)
        return {"port": self._server.port}

    def serve(self) -> None:
        """Answer requests until the channel has something to read."""
        if self._server is not None:
            self._server.run(self._channel.fileno())


class MockServerProcess:
    """The embedded server as the parent sees it: where it is, what it sent and when, what it does from now on.

    One connection stays open for `log` and `change`, because a server that is told to refuse connections can
    be brought back only by one that it has already.
    """

    def __init__(self, options: MockOptions, *, log_dir: Path, port: int = 0) -> None:
        """Port 0 takes a free one."""
        self._options = options
        # Refusing from the first moment on, it would refuse our own connection too.
        refuses = options.fault == "refused"
        config = {"options": (options.changed({"fault": ""}) if refuses else options).to_dict(), "port": port}
        self.process = ServiceProcess("mock_server", config, log_dir=log_dir)
        self._control: http.client.HTTPConnection | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``; starts the server, and waits for it, if need be."""
        return f"http://{HOST}:{self._connected().port}"

    def start(self) -> None:
        """Start the process unless it runs; return at once."""
        self.process.start()

    def log(self) -> Any:
        """Return the server's log of what it received and sent, as its ``GET /log`` gives it, decoded."""
        return self._ask("GET", "/log")

    def clear_log(self) -> None:
        """Forget what was logged so far."""
        self._ask("DELETE", "/log")

    def change(self, **options: float | str) -> None:
        """Change some options, for requests that come from now on. Raises `ConfigurationError` for a bad one."""
        self._ask("POST", "/options", json.dumps(options))

    def stop(self, grace_s: float = 2.0) -> None:
        """End the server, within `grace_s` and a second."""
        if self._control is not None:
            self._control.close()
            self._control = None
        self.process.stop(grace_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        control = self._connected()
        where = f"http://{HOST}:{control.port}{path}"
        try:
            control.request(method, path, body)
            reply = control.getresponse()
            text = reply.read()
        except (OSError, http.client.HTTPException) as error:
            control.close()
            raise MeasurementError(
                f"mock server: {method} {where}: {error or type(error).__name__}"
            ) from error
        answer = json.loads(text)
        if reply.status == 400:
            raise ConfigurationError(answer["error"]["message"])
        if reply.status != 200:
            raise MeasurementError(f"mock server: {method} {where} was answered with HTTP {reply.status}")
        return answer

    def _connected(self) -> http.client.HTTPConnection:
        port = self.process.wait_ready()["port"]
        if self._control is None or self._control.port != port:
            self._control = http.client.HTTPConnection(HOST, port, timeout=REPLY_S)
            if self._options.fault == "refused":
                self.change(fault="refused")
        return self._control
