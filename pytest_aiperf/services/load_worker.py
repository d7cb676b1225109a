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
RUN_TOGETHER: Final = "run together"
"""Like `RUN`, but with others: open the connections, say so (progress ``opened``), and begin when told to."""
BEGIN: Final = "begin"
"""Parent to child: the moment for all, ``at_ns`` on CLOCK_REALTIME."""
RESULT: Final = "result"
PROGRESS_EVERY_S: Final = 0.2
BEGIN_S: Final = 60.0
_FRAME_S: Final = 5.0
_MARGIN_S: Final = 60.0

OnProgress = Callable[[int, int, int], None]
"""Called with the requests sent, done and failed so far, at most five times a second."""


class LoadWorker:
    """The child's side: one plan at a time; while a load runs, ``abort``, ``begin`` and end-of-file are heeded."""

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
        self._runner = loop.new_runner()
        self._runner.run(asyncio.sleep(0))
        return {}

    def serve(self) -> None:
        """Answer plans until told to stop, all on one loop: a new one takes longer than a short plan's requests."""
        with self._runner:
            self._serve()

    def _serve(self) -> None:
        from pytest_aiperf.engine import LoadPlan

        while not self._stopping:
            message = self._channel.receive(None)
            kind = message.kind
            if kind in (RUN, RUN_TOGETHER):
                plan = LoadPlan.from_buffers(message.payload, message.buffers)
                del message  # the bodies would be there twice while the load runs
                self._answer(plan, together=kind == RUN_TOGETHER)
                del plan
            elif kind == STOP:
                return
            elif kind not in (ABORT, BEGIN):  # either may come after the end of its run
                raise MalformedFrameError(f"a load worker does not understand {kind!r}")

    def _answer(self, plan: LoadPlan, *, together: bool) -> None:
        try:
            batch = self._runner.run(self._run(plan, together=together))
        except AiperfError as error:
            self._channel.send(FAILED, failure.to_payload(error))
        else:
            header, buffers = batch.to_buffers()
            self._channel.send(RESULT, header, buffers)

    async def _run(self, plan: LoadPlan, *, together: bool) -> RecordBatch:
        import asyncio

        from pytest_aiperf.engine import run_load

        abort = asyncio.Event()
        loop = asyncio.get_running_loop()
        begin: asyncio.Future[int] = loop.create_future()
        loop.add_reader(self._channel.fileno(), self._heed, abort, begin)

        async def opened() -> int:
            self._channel.send(PROGRESS, {"opened": True})
            async with asyncio.timeout(2 * plan.connect_timeout_s + BEGIN_S):  # the others open theirs
                return await begin

        try:
            return await run_load(
                plan, on_progress=self._progress, abort=abort, opened=opened if together else None
            )
        finally:
            loop.remove_reader(self._channel.fileno())

    def _heed(self, abort: asyncio.Event, begin: asyncio.Future[int]) -> None:
        try:
            message = self._channel.receive(_FRAME_S, waiting_for="the rest of a message")
        except ChannelClosedError:
            os._exit(0)  # the parent is gone: not one request more
        self._stopping |= message.kind == STOP
        if message.kind in (ABORT, STOP):
            abort.set()
        elif message.kind == BEGIN and not begin.done():
            begin.set_result(message.payload["at_ns"])

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
        header, buffers = plan.to_buffers()
        self.process.secret_headers = plan.headers
        answer = self.process.request(
            RUN,
            header,
            buffers,
            deadline_s=longest_s(plan) if deadline_s is None else deadline_s,
            on_message=None if on_progress is None else lambda message: on_progress(*counts_in(message)),
        )
        return records_in(answer)

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


def longest_s(plan: LoadPlan) -> float:
    """Return how long a run may take at most: what the plan allows itself, its last request, and a minute."""
    return plan.max_duration_s + plan.request_timeout_s + _MARGIN_S


def counts_in(message: Message) -> tuple[int, int, int]:
    """Return the requests sent, done and failed that a progress message tells."""
    return message.payload["sent"], message.payload["done"], message.payload["errors"]


def records_in(answer: Message) -> RecordBatch:
    """Return the records of a finished run."""
    from pytest_aiperf.common.records import RecordBatch

    return RecordBatch.from_buffers(answer.payload, answer.buffers)
