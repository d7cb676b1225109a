"""PYTEST_DONT_REWRITE. Reads a collector at a steady pace, in a thread: a driver that hangs holds up nothing else.

The pace gives way to the cost. A reading that takes long of a processor (many cards, a slow driver, a long page) is
taken more seldom, so that all readings together stay below a hundredth of a core.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from pytest_aiperf.gpu_telemetry.collector import GpuCollector, GpuIdentity, GpuSample

CORE_SHARE: Final = 0.008
"""Of one core, for the readings. The rest of the hundredth is for sending them."""
_STEADY: Final = 0.2
"""Weight of the newest reading in the cost."""


class Sampler:
    """Owns the collector, and the thread that alone calls it. What it has read is taken from any thread."""

    def __init__(self, collector: GpuCollector, *, interval_s: float) -> None:
        self.failure: Exception | None = None
        """What the collector raised, which it must not: the thread has ended with it."""
        self._collector = collector
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._asked: list[Callable[[], None]] = []
        self._stopping = False
        self._samples: list[GpuSample] = []
        self._inventory: Sequence[GpuIdentity] = ()
        self._notes: list[str] = []
        self._began_s: float | None = None
        """When the reading in work began, on the monotonic clock."""
        self._cost_s: float | None = None
        self._slowed = False
        self._thread = threading.Thread(target=self._run, name="gpu-sampler", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, deadline_s: float) -> bool:
        """End the thread, and let go of the driver; return whether it has ended in time."""
        self._stopping = True
        self._wake.set()
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def now(self, done: Callable[[], None]) -> None:
        """Have everything read at once; `done` is called in the thread, after that reading."""
        with self._lock:
            self._asked.append(done)
        self._wake.set()

    def take(self) -> tuple[Sequence[GpuIdentity], list[GpuSample]]:
        """Return the GPUs, and what was read since the last call."""
        with self._lock:
            samples, self._samples = self._samples, []
            return self._inventory, samples

    def notes(self) -> Sequence[str]:
        """Return what went wrong so far."""
        with self._lock:
            return tuple(self._notes)

    def busy_s(self) -> float:
        """Return for how long the reading in work has gone on."""
        began_s = self._began_s
        return 0.0 if began_s is None else time.monotonic() - began_s

    def _run(self) -> None:
        try:
            while not self._stopping:
                began_s = time.monotonic()
                asked = self._take_asked()
                self._read(everything=bool(asked))
                for done in asked:
                    done()
                # What was missed is not made up for: readings in a burst tell nothing.
                self._wake.wait(max(0.0, began_s + self._pause_s() - time.monotonic()))
                self._wake.clear()
        except Exception as error:
            self.failure = error
        finally:
            self._collector.close()

    def _take_asked(self) -> list[Callable[[], None]]:
        with self._lock:
            asked, self._asked = self._asked, []
            return asked

    def _read(self, *, everything: bool) -> None:
        self._began_s = time.monotonic()
        before_s = time.thread_time()
        samples = self._collector.sample(everything=everything)
        inventory, notes = self._collector.inventory(), self._collector.notes
        cost_s = time.thread_time() - before_s
        self._began_s = None
        with self._lock:
            first, self._inventory = not self._inventory, inventory
            self._samples += samples
            self._notes += [note for note in notes if note not in self._notes]
        if not first:  # the first one loads the driver
            before = cost_s if self._cost_s is None else self._cost_s
            self._cost_s = before + _STEADY * (cost_s - before)

    def _pause_s(self) -> float:
        cost_s = self._cost_s or 0.0
        least_s = cost_s / CORE_SHARE
        if least_s <= self._interval_s:
            return self._interval_s
        if not self._slowed and least_s > 1.5 * self._interval_s:
            self._slowed = True
            with self._lock:
                self._notes.append(
                    f"a reading of the GPUs takes {1000 * cost_s:.1f} ms of a processor: they are read every"
                    f" {least_s:.2g} s, not every {self._interval_s:g} s, to cost less than a hundredth of a core"
                )
        return least_s
