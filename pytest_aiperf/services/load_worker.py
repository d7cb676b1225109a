"""PYTEST_DONT_REWRITE. The load engine as a service: the child's side of `load_process`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_aiperf.common.errors import AiperfError
from pytest_aiperf.common.hooks import on_init, on_message
from pytest_aiperf.common.messages import (
    BeginMessage,
    FailedMessage,
    Message,
    MessageType,
    ProgressMessage,
    ResultMessage,
    RunMessage,
)
from pytest_aiperf.services import failure
from pytest_aiperf.services.component_service import BaseComponentService
from pytest_aiperf.services.load_process import BEGIN_S

if TYPE_CHECKING:
    from pytest_aiperf.common.records import RecordBatch
    from pytest_aiperf.engine import LoadPlan
    from pytest_aiperf.engine.run import Progress
    from pytest_aiperf.services.channel import Channel

PROGRESS_EVERY_S: Final = 0.2


class LoadWorker(BaseComponentService):
    """The child's side: one plan at a time; while a load runs, ``abort``, ``begin`` and end-of-file are heeded."""

    def __init__(self, channel: Channel, config: Mapping[str, Any]) -> None:
        super().__init__(channel, config)
        self._last_progress_s = 0.0
        self._abort: asyncio.Event | None = None
        """Of the present run."""
        self._begin: asyncio.Future[int] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def new_runner(self) -> asyncio.Runner:
        """Return the loop of the engine: all plans run on this one, a new one takes longer than a short plan."""
        from pytest_aiperf.engine import loop

        return loop.new_runner()

    @on_init
    async def _import_all(self) -> None:
        """Import what a run would import on its way: 45 ms of the first run otherwise."""
        import pytest_aiperf.engine  # noqa: F401
        from pytest_aiperf.plugin import plugins
        from pytest_aiperf.plugin.enums import PluginType

        plugins.get_class(PluginType.ENDPOINT, "chat")

    @on_message(MessageType.RUN)
    async def _run(self, message: RunMessage) -> None:
        from pytest_aiperf.engine import LoadPlan

        self._idle.clear()
        try:
            plan = LoadPlan.from_buffers(message.plan, message.buffers)
            message.buffers.clear()  # the bodies would be there twice while the load runs
            batch = await self._records(plan, together=message.together)
        except AiperfError as error:
            await self.publish(FailedMessage(**failure.to_payload(error)))
        except Exception as error:  # a defect: nobody may wait for an answer that never comes
            self.fail(error)
        else:
            header, buffers = batch.to_buffers()
            await self.publish(ResultMessage(batch=header, buffers=list(buffers)))
        finally:
            self._idle.set()

    @on_message(MessageType.ABORT)
    async def _cut_short(self, _: Message) -> None:
        if self._abort is not None:  # else it comes after the end of its run
            self._abort.set()

    @on_message(MessageType.STOP)
    async def _end_run(self, message: Message) -> None:
        await self._cut_short(message)
        await self._idle.wait()

    @on_message(MessageType.BEGIN)
    async def _begin_at(self, message: BeginMessage) -> None:
        if self._begin is not None and not self._begin.done():
            self._begin.set_result(message.at_ns)

    async def _records(self, plan: LoadPlan, *, together: bool) -> RecordBatch:
        from pytest_aiperf.engine import run_load

        self._abort, self._begin = asyncio.Event(), asyncio.get_running_loop().create_future()
        begin = self._begin

        async def opened() -> int:
            await self.publish(ProgressMessage(opened=True))
            async with asyncio.timeout(2 * plan.connect_timeout_s + BEGIN_S):
                return await begin

        try:
            return await run_load(
                plan,
                on_progress=self._progress,
                abort=self._abort,
                opened=opened if together else None,
            )
        finally:
            self._abort = self._begin = None

    def _progress(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if now_s - self._last_progress_s >= PROGRESS_EVERY_S:
            self._last_progress_s = now_s
            counts = {"sent": progress.sent, "done": progress.ended, "errors": progress.failed}
            self.channel.send_if_idle(MessageType.PROGRESS, counts)
