"""PYTEST_DONT_REWRITE. A service that is written as hooks and message handlers, in a process of its own.

`bootstrap` runs it: its loop watches the channel to the parent, each message is given to every handler of its type,
and each handler is a task of its own. Nothing is sent to it before it is ready, and what a subscription needs is known
by then: no message is lost. Who wants an exception to end the service calls `fail`; of any other handler it is logged.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pytest_aiperf.common.hooks import AsyncMethod, HookKind, hooks_of
from pytest_aiperf.common.messages import Message, MessageError, MessageType
from pytest_aiperf.services.channel import ChannelClosedError, MalformedFrameError
from pytest_aiperf.services.lifecycle import AIPerfLifecycleMixin, InvalidStateError, LifecycleState

if TYPE_CHECKING:
    from pytest_aiperf.services.channel import Channel

SUBSCRIBES: Final = "subscribes"
"""Key of what a service says when it is ready: the types of messages that it has handlers for."""
_FRAME_S: Final = 60.0
"""For the rest of a message that has begun to come: a plan can have hundreds of megabytes."""


class BaseComponentService(AIPerfLifecycleMixin):
    """Subclasses have methods marked with `on_init`, `on_start`, `on_stop`, `on_message` and `background_task`."""

    def __init__(self, channel: Channel, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.channel = channel
        self.config = config
        self._handlers: dict[str, list[AsyncMethod]] = defaultdict(list)
        self._early: list[Message] = []
        self._ended: asyncio.Future[None] | None = None
        """Made when the service serves."""

    def new_runner(self) -> asyncio.Runner:
        """Return what the service runs on."""
        return asyncio.Runner()

    def greeting(self) -> Mapping[str, Any]:
        """Return what the parent is told when the service is ready, besides its subscriptions."""
        return {}

    async def publish(self, message: Message) -> None:
        """Send a message to the parent, which hands it on to who subscribes to it.

        Raises:
            InvalidStateError: the service was stopped.
            ChannelClosedError: the parent is gone.
        """
        if self.state in (LifecycleState.STOPPED, LifecycleState.FAILED):
            raise InvalidStateError(f"{self} is {self.state}: it can publish no {message.message_type!r}")
        if self._ended is None:
            self._early.append(message)  # the parent waits for ``ready`` first
        else:
            self._send(message)

    def _send(self, message: Message) -> None:
        self.channel.send(message.message_type, message.to_payload(), message.buffers)

    def fail(self, error: BaseException) -> None:
        """End the service with this error: the parent gets it, and the log."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    # What `bootstrap` calls.

    def make_ready(self) -> dict[str, Any]:
        """Initialize and start; return what the parent is told."""
        self._runner = self.new_runner()
        try:
            self._runner.run(self._come_up())
        except BaseException:
            self._runner.close()
            raise
        return {SUBSCRIBES: sorted(self._handlers), **self.greeting()}

    def serve(self) -> None:
        """Work until told to stop, or until the parent is gone."""
        with self._runner:
            self._runner.run(self._serve())

    async def _come_up(self) -> None:
        for hook, method in hooks_of(self, HookKind.MESSAGE):
            for message_type in hook.message_types:
                self._handlers[message_type].append(method)
        await self.initialize()
        await self.start()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        for message in self._early:
            self._send(message)
        loop.add_reader(self.channel.fileno(), self._receive)
        try:
            await self._ended
        finally:
            loop.remove_reader(self.channel.fileno())
            await self.stop()

    def _receive(self) -> None:
        assert self._ended is not None
        try:
            frame = self.channel.receive(_FRAME_S, waiting_for="the rest of a message")
            message = Message.from_payload({"message_type": frame.kind, **frame.payload}, frame.buffers)
        except ChannelClosedError:
            os._exit(0)  # the parent is gone: not one thing more is done
        except (MalformedFrameError, MessageError) as error:
            self.fail(error)
            return
        handlers = self._handlers.get(message.message_type, [])
        if message.message_type == MessageType.STOP:
            self.run_beside(self._end(handlers, message))
        elif not handlers:
            self.fail(MessageError(f"{self} does not understand {message.message_type!r}"))
        else:
            for handler in handlers:
                self.run_beside(self._handle(handler, message))

    async def _end(self, handlers: Sequence[AsyncMethod], message: Message) -> None:
        """End when the handlers of ``stop`` are through: the parent kills a service that takes too long."""
        await asyncio.gather(*(self._handle(handler, message) for handler in handlers))
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    async def _handle(self, handler: AsyncMethod, message: Message) -> None:
        try:
            await handler(message)
        except Exception:
            self.log.exception("a handler of '%s' failed", message.message_type)
