"""PYTEST_DONT_REWRITE. The load engine in a process of its own, warm from one run to the next, as its parent sees it.

The engine and asyncio are imported by the child alone (`load_worker`): a parent would pay 0.2 s for them before it
could start one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

from pytest_aiperf.common.messages import MessageType
from pytest_aiperf.services.process import ServiceProcess

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiperf.common.records import RecordBatch
    from pytest_aiperf.engine import LoadPlan
    from pytest_aiperf.services.channel import Message

BEGIN_S: Final = 60.0
"""After the connections should be open: for the others to open theirs."""
_MARGIN_S: Final = 60.0

OnProgress = Callable[[int, int, int], None]
"""Called with the requests sent, done and failed so far, at most five times a second."""


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
            MessageType.RUN,
            {"plan": header},
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

    return RecordBatch.from_buffers(answer.payload["batch"], answer.buffers)
