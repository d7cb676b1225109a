"""A request that a child has in work, as the parent sees it: what comes is taken, in time or with an error."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pytest_aiperf.common.errors import AiperfError, MeasurementError, ProcessDiedError
from pytest_aiperf.services import failure
from pytest_aiperf.services.channel import (
    CRASHED,
    FAILED,
    PROGRESS,
    Buffer,
    ChannelClosedError,
    DeadlineError,
    Message,
)
from pytest_aiperf.services.log_records import LOG, handle_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_aiperf.services.spawn import Child

TELL_S: Final = 5.0
_REAP_S: Final = 2.0


class Work:
    """From `send` to the answer: `take` returns one message after the other.

    What it raises ends it, and so does `give_up`; unless `answered` holds then, the child is in a state unknown.

    Raises, wherever it waits:
        ProcessDiedError: the child ended; the text has its pid, its exit status and the end of its log.
        DeadlineError: it took too long; the child is killed.
        AiperfError: the service's own failure, as the class that it raised there.
    """

    def __init__(
        self,
        child: Child,
        *,
        name: str,
        what: str,
        deadline_s: float,
        secret_headers: Mapping[str, str],
        on_end: Callable[[], None],
    ) -> None:
        self.answered = False
        self.ended = False
        self._child = child
        self._name = name
        self._what = what
        self._began_s = time.monotonic()
        self._deadline = self._began_s + deadline_s
        self._secret_headers = secret_headers
        self._on_end = on_end

    @property
    def left_s(self) -> float:
        """How long the answer may still take."""
        return max(0.0, self._deadline - time.monotonic())

    def allow(self, deadline_s: float) -> None:
        """Let the answer take so long from now on."""
        self._deadline = time.monotonic() + deadline_s

    def fileno(self) -> int:
        """Return the descriptor that is readable when `take` has not to wait; -1 once the child was ended."""
        return self._child.channel.fileno()

    def send(self, kind: str, payload: Mapping[str, Any] | None, buffers: Sequence[Buffer]) -> None:
        """Send the request."""
        with self._watched():
            self._child.channel.send(kind, payload, buffers, deadline_s=self.left_s)

    def take(self) -> Message:
        """Return the next message: the answer, or one on the way (progress; a record of its log, dealt with)."""
        try:
            with self._watched():
                message = self._child.channel.receive(self.left_s)
            if message.kind == CRASHED:
                raise self._died(message.payload)
            if message.kind == LOG:
                handle_record(message.payload, service=self._name)
            self.answered = message.kind not in (PROGRESS, LOG)
            if message.kind == FAILED:
                raise failure.from_payload(message.payload)
        except AiperfError:
            self._end()
            raise
        if self.answered:
            self._end()
        return message

    def tell(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Send something that belongs to the request. Whether it arrived, the answer will show."""
        try:
            self._child.channel.send(kind, payload, deadline_s=TELL_S)
        except (ChannelClosedError, MeasurementError):
            pass

    def abort(self) -> None:
        """Ask the child to answer early."""
        self._child.abort()

    def give_up(self) -> None:
        """Wait no longer: the child cuts its work short, and the next request replaces it. Nothing once it ended."""
        if not self.ended:
            self.abort()
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._on_end()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except ChannelClosedError as error:
            raise self._died() from error
        except MeasurementError as error:
            self._child.process.kill()  # too late, or not our language: it must not go on sending load
            if not isinstance(error, DeadlineError):
                raise
            waited_s = time.monotonic() - self._began_s
            raise DeadlineError(
                f"waited {waited_s:.1f} s for {self._what} of {self._name} (pid {self._child.process.pid})"
                + failure.log_tail(self._child.log_path, self._secret_headers)
            ) from error

    def _died(self, crash: Mapping[str, Any] | None = None) -> ProcessDiedError:
        process = self._child.process
        try:
            status: int | None = process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            status = None
        text = f"{self._name} (pid {process.pid}) {failure.exit_text(status)}"
        if crash is None:
            return ProcessDiedError(text + failure.log_tail(self._child.log_path, self._secret_headers))
        error = crash["error"]
        words = f": {error['type']}: {error['message']}\n{crash['traceback']}"
        return ProcessDiedError(text + failure.masked(words, self._secret_headers))
