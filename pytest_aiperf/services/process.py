"""A service in a process of its own, as its parent sees it: start early, ask often, never hang."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Self

from pytest_aiperf.common.errors import MeasurementError, ProcessDiedError
from pytest_aiperf.services import failure
from pytest_aiperf.services.channel import (
    ABORT,
    CRASHED,
    FAILED,
    PROGRESS,
    READY,
    STOP,
    Buffer,
    ChannelClosedError,
    DeadlineError,
    Message,
)
from pytest_aiperf.services.spawn import Child, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

START_S: Final = 60.0
"""Until ready, imports included, on a machine that is busy."""
TERMINATE_S: Final = 1.0
_REAP_S: Final = 2.0


class ServiceProcess:
    """Runs one service of the registry, or ``"module:Class"``, in a child that serves many requests.

    `start` returns at once, so that the child imports while the parent does; the first request waits for it.
    One that died raises `ProcessDiedError` for the request in work, and the next request starts a new one.
    A request that ended by anything but an answer (a deadline, Ctrl-C) leaves a child of unknown state, which
    the next request replaces too. When this object is collected, or the interpreter ends, it is killed.
    """

    def __init__(self, name: str, config: Mapping[str, Any] | None = None, *, log_dir: Path) -> None:
        self.name = name
        self._config = dict(config or {})
        self._log_dir = log_dir
        self._child: Child | None = None
        self._ready: dict[str, Any] | None = None
        self._suspect = False
        self._busy = threading.Lock()
        self._finalizer: weakref.finalize[..., Any] | None = None

    @property
    def alive(self) -> bool:
        """Whether a child runs and can be asked."""
        return self._child is not None and self._child.process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of the present child; None before the first start and after `stop`."""
        return self._child.process.pid if self._child else None

    def start(self) -> None:
        """Start the child unless one runs; return without waiting until it is ready."""
        if self._suspect or (self._child is not None and not self.alive):
            self._discard()
        if self._child is None:
            try:
                self._child = spawn(self.name, self._config, log_dir=self._log_dir)
            except ChannelClosedError as error:
                raise ProcessDiedError(
                    f"{self.name} ended while it was started; see {self._log_dir}"
                ) from error
            self._finalizer = weakref.finalize(self, _end_own, self._child, os.getpid())

    def wait_ready(self, deadline_s: float = START_S) -> Mapping[str, Any]:
        """Start if need be, wait until the service is ready, and return what it said of itself.

        Raises:
            ProcessDiedError: it ended instead.
            DeadlineError: it did not get ready in time.
            AiperfError: what the service itself said.
        """
        self.start()
        if self._ready is None:
            deadline = time.monotonic() + deadline_s
            self._ready = self._guarded(lambda child: self._answer(child, READY, deadline, None)).payload
        return self._ready

    def request(
        self,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
        *,
        deadline_s: float,
        on_message: Callable[[Message], None] | None = None,
    ) -> Message:
        """Send a request and return its answer; progress messages on the way go to `on_message`.

        Raises:
            ProcessDiedError: the child ended; the text has its pid, its exit status and the end of its log.
            DeadlineError: no answer within `deadline_s`, the start not counted.
            AiperfError: the service's own failure, as the class that it raised there.
        """
        if not self._busy.acquire(blocking=False):
            raise MeasurementError(f"{self.name} is at work on another request; it takes one at a time")
        try:
            self.wait_ready()
            deadline = time.monotonic() + deadline_s

            def exchange(child: Child) -> Message:
                child.channel.send(kind, payload, buffers, deadline_s=deadline_s)
                return self._answer(child, f"the answer to {kind!r}", deadline, on_message)

            return self._guarded(exchange)
        finally:
            self._busy.release()

    def abort(self) -> None:
        """Ask the child to end its present work early: callable from any thread and from a signal handler."""
        if self._child is not None:
            try:
                self._child.channel.post(ABORT)
            except (ChannelClosedError, MeasurementError):
                pass  # gone or stuck: whoever waits for its answer is told

    def stop(self, grace_s: float = 2.0) -> None:
        """End the child: ask, after `grace_s` terminate, a second later kill. Idempotent, bounded in time."""
        child = self._child
        if child is None:
            return
        if (
            self._suspect and not self._busy.locked()
        ):  # its work was given up, by Ctrl-C perhaps: nothing to ask for
            self._discard()
            return
        try:
            child.channel.send(STOP, deadline_s=min(grace_s, 1.0))
            child.process.wait(grace_s)
        except (ChannelClosedError, MeasurementError, subprocess.TimeoutExpired):
            child.process.terminate()
            try:
                child.process.wait(TERMINATE_S)
            except subprocess.TimeoutExpired:
                pass
        self._discard()

    def kill(self) -> None:
        """End the child at once: for one that has nothing to finish."""
        self._discard()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _guarded(self, exchange: Callable[[Child], Message]) -> Message:
        """Run one exchange; whatever ends it but an answer makes the child suspect."""
        child = self._child
        if child is None:
            raise ProcessDiedError(f"{self.name} was stopped while it was asked")
        self._suspect = True
        try:
            message = exchange(child)
        except ChannelClosedError as error:
            raise self._died(child) from error
        except MeasurementError:
            child.process.kill()  # too late, or not our language: it must not go on sending load
            raise
        except BaseException:  # Ctrl-C, or a callback that raised: the child cuts its work short by itself
            self.abort()
            raise
        if message.kind == CRASHED:
            raise self._died(child, message.payload)
        self._suspect = False
        if message.kind == FAILED:
            raise failure.from_payload(message.payload)
        return message

    def _answer(
        self, child: Child, what: str, deadline: float, on_message: Callable[[Message], None] | None
    ) -> Message:
        began_s = time.monotonic()
        while True:
            try:
                message = child.channel.receive(max(0.0, deadline - time.monotonic()))
            except DeadlineError as error:
                waited_s = time.monotonic() - began_s
                raise DeadlineError(
                    f"waited {waited_s:.1f} s for {what} of {self.name} (pid {child.process.pid})"
                    + failure.log_tail(child.log_path)
                ) from error
            if message.kind != PROGRESS:
                return message
            if on_message is not None:
                on_message(message)

    def _died(self, child: Child, crash: Mapping[str, Any] | None = None) -> ProcessDiedError:
        try:
            status: int | None = child.process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            status = None
        reason = f": {crash['type']}: {crash['message']}" if crash else ""
        return ProcessDiedError(
            f"{self.name} (pid {child.process.pid}) {failure.exit_text(status)}{reason}"
            + (f"\n{crash['traceback']}" if crash else failure.log_tail(child.log_path))
        )

    def _discard(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._child, self._ready, self._suspect, self._finalizer = None, None, False, None


def _end_own(child: Child, owner_pid: int) -> None:
    if os.getpid() == owner_pid:  # a fork of ours must not end it
        child.end()
