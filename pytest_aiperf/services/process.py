"""A service in a process of its own, as its parent sees it: start early, ask often, never hang."""

from __future__ import annotations

import os
import subprocess
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, Self

from pytest_aiperf.common.errors import MeasurementError, ProcessDiedError
from pytest_aiperf.services.channel import (
    PROGRESS,
    READY,
    STOP,
    Buffer,
    ChannelClosedError,
    Message,
)
from pytest_aiperf.services.log_records import LOG
from pytest_aiperf.services.spawn import Child, spawn
from pytest_aiperf.services.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_aiperf.services.channel import Channel

START_S: Final = 60.0
"""Until ready, imports included, on a machine that is busy."""
TERMINATE_S: Final = 1.0


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
        self._work: Work | None = None
        self._busy = threading.Lock()
        self.secret_headers: Mapping[str, str] = {}
        """Request headers that the child was given: the values of secret ones stand in no error text."""
        self._finalizer: weakref.finalize[..., Any] | None = None

    @property
    def alive(self) -> bool:
        """Whether a child runs and can be asked."""
        return self._child is not None and self._child.process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of the present child; None before the first start and after `stop`."""
        return self._child.process.pid if self._child else None

    @property
    def channel(self) -> Channel:
        """The link to the present child, for one who takes its messages as they come.

        Raises:
            ProcessDiedError: there is none.
        """
        if self._child is None:
            raise ProcessDiedError(f"{self.name} is not running")
        return self._child.channel

    def exit_status(self, deadline_s: float) -> int | None:
        """Wait for the child's end and return its status; None where it has not ended, or none was started."""
        if self._child is None:
            return None
        try:
            return self._child.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            return None

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
            work = self._begin(READY, deadline_s)
            while (message := work.take()).kind == LOG:
                pass
            self._ready = message.payload
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
        work = self.ask(kind, payload, buffers, deadline_s=deadline_s)
        try:
            while (message := work.take()).kind in (PROGRESS, LOG):
                if on_message is not None and message.kind == PROGRESS:
                    on_message(message)
            return message
        finally:  # Ctrl-C, or a callback that raised
            work.give_up()

    def ask(
        self,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
        *,
        deadline_s: float,
    ) -> Work:
        """Send a request and return without its answer, for one who waits for several processes at a time.

        No other one can be sent until that work has ended. Raises as `request`.
        """
        if not self._busy.acquire(blocking=False):
            raise MeasurementError(f"{self.name} is at work on another request; it takes one at a time")
        try:
            self.wait_ready()
            work = self._begin(f"the answer to '{kind}'", deadline_s, on_end=self._busy.release)
        except BaseException:
            self._busy.release()
            raise
        try:
            work.send(kind, payload, buffers)
        except BaseException:
            work.give_up()
            raise
        return work

    def abort(self) -> None:
        """Ask the child to end its present work early: callable from any thread and from a signal handler."""
        if self._child is not None:
            self._child.abort()

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

    @property
    def _suspect(self) -> bool:
        return self._work is not None and not self._work.answered

    def _begin(self, what: str, deadline_s: float, on_end: Callable[[], None] = lambda: None) -> Work:
        child = self._child
        if child is None:
            raise ProcessDiedError(f"{self.name} was stopped while it was asked")
        self._work = Work(
            child,
            name=self.name,
            what=what,
            deadline_s=deadline_s,
            secret_headers=self.secret_headers,
            on_end=on_end,
        )
        return self._work

    def _discard(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._child, self._ready, self._work, self._finalizer = None, None, None, None


def _end_own(child: Child, owner_pid: int) -> None:
    if os.getpid() == owner_pid:  # a fork of ours must not end it
        child.end()
