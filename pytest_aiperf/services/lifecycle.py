"""PYTEST_DONT_REWRITE. From made to stopped, once and in one direction: the states of a service and of its parts.

To start fails at the first thing that fails. To stop does everything that can be done and tells of all failures
together: what stops half-way leaves processes and sockets behind.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_aiperf.common.aiperf_logger import AIPerfLoggerMixin
from pytest_aiperf.common.errors import AiperfError
from pytest_aiperf.common.hooks import AsyncMethod, BoundHook, HookKind, hooks_of


class LifecycleState(enum.StrEnum):
    """Where an object is in its life."""

    CREATED = "created"
    INITIALIZING = "initializing"
    INITIALIZED = "initialized"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class InvalidStateError(AiperfError):
    """What was asked for is impossible in the object's state."""


class AIPerfLifecycleMixin(AIPerfLoggerMixin):
    """Runs the hooks of a subclass, and its parts' (`attach`): these start after it, and stop before it."""

    def __init__(self) -> None:
        self.state = LifecycleState.CREATED
        self._parts: list[AIPerfLifecycleMixin] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()

    def attach(self, part: AIPerfLifecycleMixin) -> None:
        """Make another object a part of this one, before this one is initialized.

        Raises:
            InvalidStateError: it is too late.
        """
        if self.state is not LifecycleState.CREATED:
            raise InvalidStateError(f"{self} is {self.state}: attach its parts before it is initialized")
        self._parts.append(part)

    async def initialize(self) -> None:
        """Run the hooks of `on_init`, then those of the parts. Doing it twice is fine.

        Raises:
            InvalidStateError: it is over.
            Exception: what a hook raised.
        """
        async with self._changing:
            if self.state in (LifecycleState.INITIALIZED, LifecycleState.RUNNING):
                return
            self._require("initialize", LifecycleState.CREATED)
            with _failing(self):
                self.state = LifecycleState.INITIALIZING
                await self._call(HookKind.INIT)
                for part in self._parts:
                    await part.initialize()
                self.state = LifecycleState.INITIALIZED

    async def start(self) -> None:
        """Run the hooks of `on_start`, then those of the parts, and begin the background tasks. Twice is fine.

        Raises:
            InvalidStateError: it is not initialized, or over.
            Exception: what a hook raised.
        """
        async with self._changing:
            if self.state is LifecycleState.RUNNING:
                return
            self._require("start", LifecycleState.INITIALIZED)
            with _failing(self):
                self.state = LifecycleState.STARTING
                await self._call(HookKind.START)
                for part in self._parts:
                    await part.start()
                self.state = LifecycleState.RUNNING
            for hook in hooks_of(self, HookKind.BACKGROUND):
                self.run_beside(self._repeat(hook))

    async def stop(self) -> None:
        """Stop the parts, cancel the background tasks, run the hooks of `on_stop` in reverse. Twice is fine.

        Raises:
            ExceptionGroup: all that failed; everything else was done.
        """
        async with self._changing:
            if self.state in (LifecycleState.STOPPED, LifecycleState.STOPPING):
                return
            began = self.state is not LifecycleState.CREATED
            self.state = LifecycleState.STOPPING
            failures: list[Exception] = []
            for part in reversed(self._parts):
                await _collected(part.stop, failures)
            await self._end_tasks()
            for _, method in reversed(list(hooks_of(self, HookKind.STOP)) if began else []):
                await _collected(method, failures)
            self.state = LifecycleState.STOPPED
        if failures:
            raise ExceptionGroup(f"{self} was stopped, but not without failures", failures)

    def run_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside everything else; it is cancelled when this object is stopped."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __str__(self) -> str:
        return type(self).__name__

    def _require(self, what: str, state: LifecycleState) -> None:
        if self.state is not state:
            raise InvalidStateError(f"cannot {what} {self}: it is {self.state}, not {state}")

    async def _call(self, kind: HookKind) -> None:
        for _, method in hooks_of(self, kind):
            await method()

    async def _repeat(self, bound: BoundHook) -> None:
        hook, method = bound
        if not hook.immediate:
            await asyncio.sleep(self._pause_s(hook.interval_s))
        while True:
            try:
                await method()
            except Exception:
                self.log.exception("%s failed", getattr(method, "__name__", method))
                if hook.stop_on_error:
                    return
            if hook.interval_s is None:
                return
            await asyncio.sleep(self._pause_s(hook.interval_s))

    def _pause_s(self, interval: object) -> float:
        given = interval(self) if callable(interval) else interval
        return float(given) if isinstance(given, (int, float)) else 0.0

    async def _end_tasks(self) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _failing(owner: AIPerfLifecycleMixin) -> Iterator[None]:
    """Mark an object as failed when what runs inside raises."""
    try:
        yield
    except BaseException:
        owner.state = LifecycleState.FAILED
        raise


async def _collected(call: AsyncMethod, failures: list[Exception]) -> None:
    try:
        await call()
    except Exception as error:
        failures.append(error)
