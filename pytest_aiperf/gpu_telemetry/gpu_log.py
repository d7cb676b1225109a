"""What the telemetry service has told so far, as its parent keeps it: compact, until a window of it is asked for.

log = GpuLog()
log.listen(controller.subscribe)        # before the services are ready
controller.start(SERVICE, service_config(choice))
controller.wait_ready()
log.bring_up_to_date(controller.publish)    # before a run, and after it
window = gpu_window(log.gpus, log.between(start_ns, end_ns), start_ns=start_ns, end_ns=end_ns)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from pytest_aiperf.common.messages import Message
from pytest_aiperf.gpu_telemetry.collector import GpuIdentity, GpuSample
from pytest_aiperf.gpu_telemetry.messages import (
    GpuInventoryMessage,
    GpuMessageType,
    GpuNoteMessage,
    GpuNowMessage,
    GpuSamplesMessage,
)
from pytest_aiperf.gpu_telemetry.sample_columns import COLUMNS, samples_of
from pytest_aiperf.gpu_telemetry.span import EDGE

SERVICE: Final = "gpu_telemetry"
"""Name of the service in the registry."""
NOW_S: Final = 2.0
"""For the answer to `bring_up_to_date`. The service itself answers within half of it, whatever its driver does."""
_STAMPS: Final = COLUMNS.index("stamp_ns")
_MARGIN_NS: Final = 3_000_000_000


class GpuLog:
    """Takes the service's messages, in any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._batches: list[GpuSamplesMessage] = []
        self._gpus: tuple[GpuIdentity, ...] = ()
        self._notes: list[str] = []
        self._collector: str | None = None
        self._number = 0
        self._answered = 0
        self._silent = False

    def listen(self, subscribe: Callable[[str, Callable[[Message], None]], None]) -> None:
        """Have this object's messages handed to it."""
        for message_type in (GpuMessageType.INVENTORY, GpuMessageType.SAMPLES, GpuMessageType.NOTE):
            subscribe(message_type, self.take)

    def take(self, message: Message) -> None:
        """Keep what a message tells."""
        with self._changed:
            self._silent = False
            if isinstance(message, GpuInventoryMessage):
                self._collector = message.collector
                self._gpus = tuple(GpuIdentity(**gpu) for gpu in message.gpus)
            elif isinstance(message, GpuNoteMessage):
                self._notes.append(message.text)
            elif isinstance(message, GpuSamplesMessage):
                if len(message.buffers[_STAMPS]):
                    self._batches.append(message)
                if message.answers is not None:
                    self._answered = max(self._answered, message.answers)
            self._changed.notify_all()

    @property
    def collector(self) -> str | None:
        """Name of the collector; None until it has told which GPUs there are."""
        return self._collector

    @property
    def gpus(self) -> Sequence[GpuIdentity]:
        """The GPUs that were told of so far, in the order of their index."""
        return self._gpus

    @property
    def notes(self) -> Sequence[str]:
        """What went wrong so far, a sentence each."""
        return tuple(self._notes)

    def bring_up_to_date(self, publish: Callable[[Message], None], deadline_s: float = NOW_S) -> bool:
        """Have everything read at once, and wait until it is here; return whether it came.

        A service that did not answer is not waited for again until it has said something.
        """
        with self._changed:
            self._number += 1
            number = self._number
        publish(GpuNowMessage(number=number))
        until_s = time.monotonic() + deadline_s
        with self._changed:
            while self._answered < number and not self._silent:
                if not self._changed.wait(until_s - time.monotonic()) and time.monotonic() >= until_s:
                    self._silent = True
            return self._answered >= number

    def forget(self, before_ns: int) -> None:
        """Let go of the readings that are older than this."""
        with self._changed:
            self._batches = [one for one in self._batches if _overlaps(one, before_ns, 2**63 - 1)]

    def between(self, start_ns: int, end_ns: int) -> list[GpuSample]:
        """Return the readings of this time by stamp, and of each GPU the nearest one before and after it.

        Those are looked for as far away as `gpu_window` can use them.
        """
        margin_ns = max(_MARGIN_NS, round(EDGE * (end_ns - start_ns)))
        with self._changed:
            batches = [
                one for one in self._batches if _overlaps(one, start_ns - margin_ns, end_ns + margin_ns)
            ]
        samples: list[GpuSample] = []
        before: dict[int, GpuSample] = {}
        after: dict[int, GpuSample] = {}
        for batch in batches:
            for sample in samples_of(batch.columns()):
                if sample.stamp_ns < start_ns:
                    before[sample.index] = _later(before.get(sample.index), sample)
                elif sample.stamp_ns > end_ns:
                    after[sample.index] = _earlier(after.get(sample.index), sample)
                else:
                    samples.append(sample)
        return sorted([*before.values(), *samples, *after.values()], key=lambda one: one.stamp_ns)


def _overlaps(batch: GpuSamplesMessage, start_ns: int, end_ns: int) -> bool:
    stamps_ns = memoryview(batch.buffers[_STAMPS]).cast("B").cast("q")
    return bool(min(stamps_ns) <= end_ns and max(stamps_ns) >= start_ns)


def _later(one: GpuSample | None, other: GpuSample) -> GpuSample:
    return other if one is None or other.stamp_ns >= one.stamp_ns else one


def _earlier(one: GpuSample | None, other: GpuSample) -> GpuSample:
    return other if one is None or other.stamp_ns < one.stamp_ns else one
