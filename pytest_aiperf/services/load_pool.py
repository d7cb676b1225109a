"""PYTEST_DONT_REWRITE. Several load processes that act as one.

Each gets its share of the plan and opens its connections; when all have, they are told the moment on the clock at which
they start. A moment that stands in the plan from the beginning would have to be guessed before anybody knows how long
five hundred TLS handshakes take: too short a guess spoils a run whose requests have been sent, too long a one is
waited for every time. To be told costs a twentieth of a second, and no request leaves before everybody can send.

The parent waits for all of them at once in one thread: a death is an end-of-file and seen the moment it happens, and
Ctrl-C arrives where it is dealt with.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

from pytest_aiperf.common.errors import AiperfError
from pytest_aiperf.common.messages import MessageType
from pytest_aiperf.services.channel import PROGRESS, Message
from pytest_aiperf.services.load_process import (
    BEGIN_S,
    LoadProcess,
    OnProgress,
    counts_in,
    longest_s,
    records_in,
)
from pytest_aiperf.services.log_records import LOG

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiperf.common.records import RecordBatch
    from pytest_aiperf.engine import LoadPlan
    from pytest_aiperf.services.process import ServiceProcess
    from pytest_aiperf.services.work import Work

AHEAD_NS: Final = 50_000_000
"""From the telling to the start: a process that sleeps on a busy machine takes a while to hear it."""
ABANDON_S: Final = 10.0
"""For the others to end their shares once one has failed; longer than the engine takes to cut a run short."""


class LoadPool:
    """Load processes that are kept warm from run to run, and used as if they were one."""

    def __init__(self, workers: int = 1, *, log_dir: Path) -> None:
        self._workers = workers
        self._log_dir = log_dir
        self._processes: list[LoadProcess] = []

    @property
    def pids(self) -> list[int]:
        """Process ids of those that were started."""
        return [pid for one in self._processes if (pid := one.process.pid) is not None]

    def start(self, workers: int | None = None) -> None:
        """Start so many processes, or those of the constructor, unless they run; return at once."""
        for one in self._first(self._workers if workers is None else workers):
            one.start()

    def run(
        self,
        plan: LoadPlan,
        on_progress: OnProgress | None = None,
        *,
        deadline_s: float | None = None,
        workers: int | None = None,
    ) -> RecordBatch:
        """Run a plan in so many processes, or those of the constructor, and return all records as one batch.

        There are fewer where the plan has not work for all (see `deal`). The deadline is by default what the plan
        allows itself, its last request included, and a minute.

        Raises:
            ProcessDiedError: a process ended. The others have cut their shares short, nothing of the run is kept, and
                the next call starts a new process in its place.
            DeadlineError: the plan's own limits did not hold.
            MeasurementError: what the engine raised, as its own class.
        """
        from pytest_aiperf.engine.dealing import deal

        shares = deal(plan, self._workers if workers is None else workers)
        processes = self._first(len(shares))
        if len(shares) == 1:
            return processes[0].run(plan, on_progress, deadline_s=deadline_s)
        self.start(len(shares))
        limit_s = longest_s(plan) if deadline_s is None else deadline_s
        return _SharedRun([one.process for one in processes], shares, on_progress, limit_s).records()

    def abort(self) -> None:
        """Cut the present run short, from any thread: `run` returns what there is by then."""
        for one in self._processes:
            one.abort()

    def stop(self, grace_s: float = 2.0) -> None:
        """End all processes, within `grace_s` and a second."""
        stopping = [threading.Thread(target=one.stop, args=(grace_s,)) for one in self._processes]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _first(self, workers: int) -> list[LoadProcess]:
        while len(self._processes) < workers:
            self._processes.append(LoadProcess(log_dir=self._log_dir))
        return self._processes[:workers]


class _SharedRun:
    """One run of several processes, from their shares to one batch."""

    def __init__(
        self,
        processes: Sequence[ServiceProcess],
        shares: Sequence[LoadPlan],
        on_progress: OnProgress | None,
        deadline_s: float,
    ) -> None:
        self._processes = processes
        self._shares = shares
        self._on_progress = on_progress
        self._deadline_s = deadline_s
        self._works: list[Work] = []
        self._opened: set[int] = set()
        self._counts = [(0, 0, 0)] * len(shares)
        self._answers: dict[int, Message] = {}

    def records(self) -> RecordBatch:
        try:
            for process, share in zip(self._processes, self._shares, strict=True):
                deadline_s = min(2 * share.connect_timeout_s + BEGIN_S, self._deadline_s)
                self._works.append(_ask(process, share, deadline_s))
            while len(self._answers) < len(self._shares):
                for number in self._ready():
                    self._take(number)
        except AiperfError:
            self._abandon()
            raise
        finally:
            for work in self._works:  # Ctrl-C, or a callback that raised
                work.give_up()
        return self._merged()

    def _ready(self) -> list[int]:
        """Wait until one has something to say, or will not any more; returns their numbers."""
        number_of = {work.fileno(): number for number, work in enumerate(self._works) if not work.ended}
        if -1 in number_of:  # it was stopped
            return [number_of[-1]]
        poller = select.poll()
        for fd in number_of:
            poller.register(fd, select.POLLIN)
        left_s, overdue = min((self._works[number].left_s, number) for number in number_of.values())
        return [number_of[fd] for fd, _ in poller.poll(left_s * 1000)] or [overdue]

    def _take(self, number: int) -> None:
        message = self._works[number].take()
        if message.kind == LOG:
            return
        if message.kind != PROGRESS:
            self._answers[number] = message
            if not self._begun:  # it was aborted, the others perhaps before they had their share
                self._abort()
        elif message.payload.get("opened"):
            self._opened.add(number)
            if self._begun:
                self._begin()
        elif self._on_progress is not None:
            self._counts[number] = counts_in(message)
            sent, done, failed = map(sum, zip(*self._counts, strict=True))
            self._on_progress(sent, done, failed)

    @property
    def _begun(self) -> bool:
        return len(self._opened) == len(self._shares)

    def _begin(self) -> None:
        at_ns = time.time_ns() + AHEAD_NS
        for work in self._works:
            work.tell(MessageType.BEGIN, {"at_ns": at_ns})
            work.allow(self._deadline_s)

    def _abort(self) -> None:
        for work in self._works:
            if not work.ended:
                work.abort()

    def _abandon(self) -> None:
        """Have the others cut their shares short: who does so in time stays warm, who does not is killed."""
        self._abort()
        for work in self._works:
            work.allow(min(work.left_s, ABANDON_S))
        for work in self._works:
            try:
                while not work.ended:
                    work.take()
            except AiperfError:
                pass  # the first failure is the one to tell

    def _merged(self) -> RecordBatch:
        from pytest_aiperf.common.masking import Masking
        from pytest_aiperf.common.record_merge import merge_records

        batches = [records_in(self._answers.pop(number)) for number in range(len(self._shares))]
        return merge_records(batches, Masking(api_key=None, headers={}).same_as)


def _ask(process: ServiceProcess, share: LoadPlan, deadline_s: float) -> Work:
    header, buffers = share.to_buffers()
    process.secret_headers = share.headers
    return process.ask(MessageType.RUN, {"plan": header, "together": True}, buffers, deadline_s=deadline_s)
