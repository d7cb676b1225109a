"""What came from the service, for one who measures: thread-safe, and never waits for longer than it is told."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from pytest_aiperf.common.messages import Message
from pytest_aiperf.server_metrics import messages as m
from pytest_aiperf.server_metrics.figures import ServerWindow
from pytest_aiperf.server_metrics.identity import ServerIdentity
from pytest_aiperf.server_metrics.quantities import SeriesKey
from pytest_aiperf.server_metrics.sample import ServerNote, ServerSample
from pytest_aiperf.server_metrics.window import window_of

KEPT: Final = 100_000
"""Samples of a page, a day at the usual rate: some 100 MB for a server with a hundred figures."""


class CollectedMetrics:
    """Takes the service's messages (`take`, for `SystemController.subscribe`) and answers from them."""

    SUBSCRIBES: Final = (m.SAMPLE, m.NOTE, m.IDENTITY, m.LOOKED)

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._samples: dict[str, list[ServerSample]] = defaultdict(list)
        self._keys: dict[str, Sequence[SeriesKey]] = {}
        self._notes: list[ServerNote] = []
        self._identities: dict[str, ServerIdentity] = {}
        self._asked = 0
        self._looked = 0

    def take(self, message: Message) -> None:
        """Take one of the service's messages, in any thread."""
        with self._changed:
            if isinstance(message, m.ServerSampleMessage):
                self._take_sample(message)
            elif isinstance(message, m.ServerNoteMessage):
                self._notes.append(message.note())
            elif isinstance(message, m.ServerIdentityMessage):
                self._identities[message.url] = message.identity()
            elif isinstance(message, m.ServerLookedMessage):
                self._looked = max(self._looked, message.number)
            self._changed.notify_all()

    def look(self, publish: Callable[[Message], None], *, wait_s: float) -> bool:
        """Have all pages looked at now and wait for what comes of it; return whether all came in time.

        Pages that failed last time are not waited for by the service, so that a stalled one delays nothing.

        Args:
            publish: `SystemController.publish`.
            wait_s: the longest wait.
        """
        with self._changed:
            self._asked += 1
            number = self._asked
        publish(m.ServerLookMessage(number=number))
        with self._changed:
            return self._changed.wait_for(lambda: self._looked >= number, wait_s)

    def window(self, start_ns: int, end_ns: int) -> ServerWindow:
        """Return what the servers said of a window; the notes of pages that told nothing stand in it.

        Args:
            start_ns: CLOCK_REALTIME ns.
            end_ns: CLOCK_REALTIME ns.
        """
        with self._changed:
            samples = [one for of_page in self._samples.values() for one in _near(of_page, start_ns, end_ns)]
            silent = [note.text for note in self._notes if not self._samples.get(note.url)]
        found = window_of(samples, start_ns, end_ns)
        return found.model_copy(update={"notes": (*found.notes, *silent)})

    @property
    def notes(self) -> Sequence[ServerNote]:
        """All notes, in order."""
        with self._changed:
            return tuple(self._notes)

    @property
    def identities(self) -> Sequence[ServerIdentity]:
        """The last that each server told of itself."""
        with self._changed:
            return tuple(self._identities.values())

    def _take_sample(self, message: m.ServerSampleMessage) -> None:
        sample = message.sample(self._keys.get(message.url, ()))
        self._keys[message.url] = sample.keys
        of_page = self._samples[message.url]
        of_page.append(sample)
        if len(of_page) > KEPT:
            del of_page[: KEPT // 10]


def _near(of_page: Sequence[ServerSample], start_ns: int, end_ns: int) -> Sequence[ServerSample]:
    """The samples that a window can rest on, so that the length of a session costs nothing."""
    ordered = sorted(of_page, key=lambda one: one.moment_ns)
    first = bisect_left(ordered, start_ns, key=lambda one: one.before_ns)
    last = bisect_left(ordered, end_ns, key=lambda one: one.before_ns)
    return ordered[max(first - 2, 0) : last + 2]
