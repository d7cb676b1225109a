"""Runs the services that go on beside a measurement, and hands the messages of each to who subscribes to them.

One connection to each service, and one thread that waits for all of them: a death is an end-of-file, and is seen at
once. A service that is `required` and died fails the measurement (`check`); of another one a warning tells, once.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from pytest_aiperf.common.aiperf_logger import AIPerfLoggerMixin
from pytest_aiperf.common.errors import AiperfError, MeasurementError, ProcessDiedError
from pytest_aiperf.common.messages import Message, MessageError
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.services import failure
from pytest_aiperf.services.channel import CRASHED, Channel, ChannelClosedError, MalformedFrameError
from pytest_aiperf.services.component_service import SUBSCRIBES
from pytest_aiperf.services.lifecycle import InvalidStateError
from pytest_aiperf.services.log_records import LOG, handle_record
from pytest_aiperf.services.process import START_S, ServiceProcess

Handler = Callable[[Message], None]
SEND_S: Final = 5.0
"""For a service to take a message; one that does not read is ended."""
_FRAME_S: Final = 5.0
_REAP_S: Final = 2.0


class _Running:
    """A service that is ready."""

    def __init__(self, process: ServiceProcess, *, required: bool) -> None:
        self.process = process
        self.required = required
        self.channel: Channel | None = None
        self.subscribes: frozenset[str] = frozenset()
        self.death: str | None = None
        self.warned = False


class SystemController(AIPerfLoggerMixin):
    """Started services, by name. Nothing is started that nobody asks for."""

    def __init__(self, *, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._services: dict[str, _Running] = {}
        self._handlers: dict[str, list[Handler]] = defaultdict(list)
        self._thread: threading.Thread | None = None
        self._wake, self._woken = socket.socketpair()
        self._stopping = False

    def subscribe(self, message_type: str, handler: Handler) -> None:
        """Have a function called with each message of a type, in the controller's thread.

        Raises:
            InvalidStateError: services run already, and may have sent such messages.
        """
        if self._thread is not None:
            raise InvalidStateError(f"subscribe to {message_type!r} before the services are ready")
        self._handlers[message_type].append(handler)

    def start(self, name: str, config: Mapping[str, Any] | None = None) -> None:
        """Start a service of the registry; return at once."""
        if name not in self._services:
            required = bool(plugins.entry(PluginType.SERVICE, name).metadata.get("required", True))
            process = ServiceProcess(name, config, log_dir=self._log_dir)
            self._services[name] = _Running(process, required=required)
            process.start()

    def wait_ready(self, deadline_s: float = START_S) -> Mapping[str, Mapping[str, Any]]:
        """Wait until all are ready; return what each said of itself. From then on messages are handed on.

        Raises:
            AiperfError: a required service did not get ready. Another one that did not is left out, with a warning.
        """
        told = {}
        until = time.monotonic() + deadline_s
        for name, service in self._services.items():
            try:
                told[name] = service.process.wait_ready(max(0.0, until - time.monotonic()))
            except AiperfError as error:
                service.death = str(error)
                continue
            service.channel = service.process.channel
            service.subscribes = frozenset(told[name].get(SUBSCRIBES, ()))
        self.check()
        self._thread = threading.Thread(target=self._route, name="aiperf-controller", daemon=True)
        self._thread.start()
        return told

    def publish(self, message: Message) -> None:
        """Hand a message to all services that subscribe to it.

        Raises:
            InvalidStateError: the services are not ready yet, or were stopped.
        """
        if self._thread is None or self._stopping:
            raise InvalidStateError(f"no service runs that could be sent {message.message_type!r}")
        self._hand_on(message, sender=None)

    def check(self) -> None:
        """Raise for a required service that died; warn once of another one.

        Raises:
            ProcessDiedError: a required service died; the text has its name, its exit status and its last words.
        """
        for name, service in self._services.items():
            if service.death is None:
                continue
            if service.required:
                raise ProcessDiedError(f"the service {name} is gone: {service.death}")
            if not service.warned:
                service.warned = True
                self.log.warning("the service %s is gone, and is done without: %s", name, service.death)

    def stop(self, grace_s: float = 2.0) -> None:
        """End all services, within `grace_s` and a second. Twice is fine."""
        if self._stopping:
            return
        self._stopping = True
        self._wake.send(b"!")
        if self._thread is not None:
            self._thread.join(_FRAME_S + SEND_S)
        enders = [
            threading.Thread(target=one.process.stop, args=(grace_s,)) for one in self._services.values()
        ]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()
        self._wake.close()
        self._woken.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _route(self) -> None:
        while not self._stopping:
            for name, channel in self._readable():
                self._take(name, channel)

    def _readable(self) -> Sequence[tuple[str, Channel]]:
        poller = select.poll()
        poller.register(self._woken, select.POLLIN)
        by_fd = {}
        for name, service in self._services.items():
            if service.channel is not None and service.death is None:
                by_fd[service.channel.fileno()] = name, service.channel
                poller.register(service.channel.fileno(), select.POLLIN)
        return [by_fd[fd] for fd, _ in poller.poll() if fd in by_fd]

    def _take(self, name: str, channel: Channel) -> None:
        try:
            frame = channel.receive(_FRAME_S, waiting_for="the rest of a message")
            if frame.kind == LOG:
                handle_record(frame.payload, service=name)
                return
            if frame.kind == CRASHED:
                error = frame.payload["error"]
                self._bury(name, f"{error['type']}: {error['message']}")
                return
            message = Message.from_payload({"message_type": frame.kind, **frame.payload}, frame.buffers)
        except ChannelClosedError:
            self._bury(name, self._last_words(name))
        except (MessageError, MalformedFrameError, MeasurementError) as error:
            self._bury(name, str(error))
            self._services[name].process.kill()
        else:
            self._hand_on(message, sender=name)

    def _hand_on(self, message: Message, *, sender: str | None) -> None:
        for handler in self._handlers.get(message.message_type, ()):
            try:
                handler(message)
            except Exception:
                self.log.exception("a handler of '%s' failed", message.message_type)
        for name, service in self._services.items():
            takes = service.channel is not None and message.message_type in service.subscribes
            if name == sender or not takes or service.death is not None:
                continue
            assert service.channel is not None
            try:
                service.channel.send(
                    message.message_type, message.to_payload(), message.buffers, deadline_s=SEND_S
                )
            except (ChannelClosedError, MeasurementError) as error:
                self._bury(name, str(error))

    def _bury(self, name: str, words: str) -> None:
        service = self._services[name]
        if service.death is None:
            service.death = failure.masked(words)

    def _last_words(self, name: str) -> str:
        status = self._services[name].process.exit_status(_REAP_S)
        return failure.exit_text(status)
