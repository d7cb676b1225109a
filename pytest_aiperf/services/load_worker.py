"""PYTEST_DONT_REWRITE. The load engine in a process of its own, warm from one run to the next.

Here stand both sides: `LoadWorker` runs in the child and `LoadProcess` is what the parent calls. The engine
and asyncio are imported by the child alone: a parent would pay 0.2 s for them before it could start one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from pytest_aiperf.common.errors import AiperfError
from pytest_aiperf.services import failure
from pytest_aiperf.services.channel import (
    ABORT,
    FAILED,
    PROGRESS,
    STOP,
    Channel,
    ChannelClosedError,
    MalformedFrameError,
    Message,
)
from pytest_aiperf.services.process import ServiceProcess

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from pytest_aiperf.common.records import RecordBatch
    from pytest_aiperf.engine import LoadPlan
    from pytest_aiperf.engine.run import Progress

RUN: Final = "run"
RESULT: Final = "result"
PROGRESS_EVERY_S: Final = 0.2
_FRAME_S: Final = 5.0
_MARGIN_S: Final = 60.0

OnProgress = Callable[[int, int, int], None]
"""Called with the requests sent, done and failed so far, at most five times a second."""


class LoadWorker:
    """The child's side: one plan at a time; while a load runs, ``abort`` and end-of-file are heeded."""

    def __init__(self, channel: Channel, config: Mapping[str, Any]) -> None:
        self._channel = channel
        self._last_progress_s = 0.0
        self._stopping = False

    def start(self) -> dict[str, Any]:
        """Import what a run needs, and what it would import on its way: 45 ms of the first run otherwise."""
        import asyncio

        from pytest_aiperf.engine import loop
        from pytest_aiperf.plugin import plugins
        from pytest_aiperf.plugin.enums import PluginType

        plugins.get_class(PluginType.ENDPOINT, "chat")
        loop.run(asyncio.sleep(0))
        return {}

    def serve(self) -> None:
        """Answer plans until told to stop."""
        while not self._stopping:
            message = self._channel.receive(None)
            if message.kind == RUN:
                self._answer(message)
            elif message.kind == STOP:
                return
            elif message.kind != ABORT:  # an abort that came after the end of its run is of no use
                raise MalformedFrameError(f"a load worker does not understand {message.kind!r}")

    def _answer(self, message: Message) -> None:
        from pytest_aiperf.engine import LoadPlan, loop

        try:
            batch = loop.run(self._run(LoadPlan.from_buffers(message.payload, message.buffers)))
        except AiperfError as error:
            self._channel.send(FAILED, failure.to_payload(error))
        else:
            header, buffers = batch.to_buffers()
            self._channel.send(RESULT, header, buffers)

    async def _run(self, plan: LoadPlan) -> RecordBatch:
        import asyncio

        from pytest_aiperf.engine import run_load

        abort = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._channel.fileno(), self._heed, abort)
        try:
            return await run_load(plan, on_progress=self._progress, abort=abort)
        finally:
            loop.remove_reader(self._channel.fileno())

    def _heed(self, abort: asyncio.Event) -> None:
        try:
            message = self._channel.receive(_FRAME_S, waiting_for="the rest of a message")
        except ChannelClosedError:
            os._exit(0)  # the parent is gone: not one request more
        self._stopping |= message.kind == STOP
        if message.kind in (ABORT, STOP):
            abort.set()

    def _progress(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if now_s - self._last_progress_s >= PROGRESS_EVERY_S:
            self._last_progress_s = now_s
            payload = {"sent": progress.sent, "done": progress.ended, "errors": progress.failed}
            self._channel.send_if_idle(PROGRESS, payload)


class LoadProcess:
    """The parent's side of one load worker. Started early, it gets ready in the meantime."""

    def __init__(self, *, log_dir: Path) -> None:
        self.process = ServiceProcess("load_worker", log_dir=log_dir)

    def start(self) -> None:
        """Start the process unless it runs; return at once."""
        self.process.start()

    def run(
        self, plan: LoadPlan, on_progress: OnProgress | None = None, *, deadline_s: float | None = None
    ) -> RecordBatch:
        """Run one plan there and return its records.

        The deadline is by default what the plan allows itself, its last request included, and a minute.

        Raises:
            ProcessDiedError: the process ended; the next call starts a new one.
            DeadlineError: the plan's own limits did not hold.
            MeasurementError: what the engine raised, as its own class.
        """
        from pytest_aiperf.common.records import RecordBatch

        header, buffers = plan.to_buffers()
        if deadline_s is None:
            deadline_s = plan.max_duration_s + plan.request_timeout_s + _MARGIN_S
        answer = self.process.request(
            RUN, header, buffers, deadline_s=deadline_s, on_message=_progress_reader(on_progress)
        )
        return RecordBatch.from_buffers(answer.payload, answer.buffers)

    def abort(self) -> None:
        """Cut the present run short, from any thread: `run` returns what there is by then."""
        self.process.abort()

    def stop(self, grace_s: float = 2.0) -> None:
        """End the process, within `grace_s` and a second."""
        self.process.stop(grace_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _progress_reader(on_progress: OnProgress | None) -> Callable[[Message], None] | None:
    if on_progress is None:
        return None
    return lambda message: on_progress(
        message.payload["sent"], message.payload["done"], message.payload["errors"]
    )
