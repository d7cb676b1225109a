"""The life of a service (systems.md C1 to C6), without processes."""

from __future__ import annotations

import asyncio

import pytest

from pytest_aiperf.common.hooks import background_task, on_init, on_start, on_stop
from pytest_aiperf.services.lifecycle import AIPerfLifecycleMixin, InvalidStateError, LifecycleState

pytestmark = pytest.mark.asyncio


class Part(AIPerfLifecycleMixin):
    def __init__(self, name, calls, *, fails=()):
        super().__init__()
        self.name, self.calls, self.fails = name, calls, fails

    async def note(self, what):
        self.calls.append(f"{self.name} {what}")
        if what in self.fails:
            raise RuntimeError(f"{self.name} cannot {what}")

    @on_init
    async def _init(self):
        await self.note("init")

    @on_start
    async def _start(self):
        await self.note("start")

    @on_stop
    async def _stop(self):
        await self.note("stop")


class Derived(Part):
    @on_init
    async def _init(self):
        await self.note("init too")

    @on_stop
    async def _stop(self):
        await self.note("stop too")


async def test_hooks_run_base_first_and_stop_in_reverse():
    """C1."""
    calls = []
    one = Derived("a", calls)
    await one.initialize()
    await one.start()
    await one.stop()
    assert calls == ["a init", "a init too", "a start", "a stop too", "a stop"]


async def test_parts_start_after_their_whole_and_stop_before_it():
    """C4."""
    calls = []
    whole = Part("whole", calls)
    for name in ("x", "y"):
        whole.attach(Part(name, calls))
    await whole.initialize()
    await whole.start()
    await whole.stop()
    assert calls == [
        *("whole init", "x init", "y init", "whole start", "x start", "y start"),
        *("y stop", "x stop", "whole stop"),
    ]


async def test_twice_is_once():
    """C4."""
    calls = []
    one = Part("a", calls)
    await asyncio.gather(one.initialize(), one.initialize())
    await asyncio.gather(one.start(), one.start())
    await one.initialize()
    await asyncio.gather(one.stop(), one.stop())
    assert calls == ["a init", "a start", "a stop"]


async def test_what_is_impossible_is_an_error_that_names_the_state():
    """C4."""
    one = Part("a", [])
    with pytest.raises(InvalidStateError, match="cannot start Part: it is created, not initialized"):
        await one.start()
    await one.stop()
    assert one.calls == []
    with pytest.raises(InvalidStateError, match="cannot initialize Part: it is stopped, not created"):
        await one.initialize()
    with pytest.raises(InvalidStateError, match="attach its parts before it is initialized"):
        one.attach(Part("b", []))


async def test_to_start_fails_at_the_first_failure():
    """C3."""
    calls = []
    whole = Part("whole", calls)
    whole.attach(Part("x", calls, fails=("start",)))
    whole.attach(Part("y", calls))
    await whole.initialize()
    with pytest.raises(RuntimeError, match="x cannot start"):
        await whole.start()
    assert "y start" not in calls
    assert whole.state is LifecycleState.FAILED
    await whole.stop()
    assert calls[-3:] == ["y stop", "x stop", "whole stop"]


async def test_to_stop_does_everything_and_tells_all_failures():
    """C3."""
    calls = []
    whole = Derived("whole", calls, fails=("stop", "stop too"))
    whole.attach(Part("x", calls, fails=("stop",)))
    await whole.initialize()
    await whole.start()
    with pytest.raises(ExceptionGroup) as caught:
        await whole.stop()
    assert calls[-3:] == ["x stop", "whole stop too", "whole stop"]
    messages = [
        str(error) for group in caught.value.exceptions for error in getattr(group, "exceptions", [group])
    ]
    assert messages == ["x cannot stop", "whole cannot stop too", "whole cannot stop"]
    assert whole.state is LifecycleState.STOPPED


class Busy(AIPerfLifecycleMixin):
    def __init__(self, *, pause_s=0.0, fails=0):
        super().__init__()
        self.count, self.fails, self.pause_s, self.lasting = 0, fails, pause_s, asyncio.Event()
        self.pauses, self.later, self.once, self.fragile, self.cancelled = 0, 0, 0, 0, False

    def next_pause_s(self):
        self.pauses += 1
        return self.pause_s

    @background_task(interval_s=next_pause_s)
    async def _again(self):
        self.count += 1
        if self.count <= self.fails:
            raise RuntimeError("no luck")
        if self.count >= 5:
            self.lasting.set()

    @background_task()
    async def _once(self):
        self.once += 1

    @background_task(interval_s=0.0, stop_on_error=True)
    async def _fragile(self):
        self.fragile += 1
        raise RuntimeError("the end")

    @background_task(interval_s=3600, immediate=False)
    async def _later(self):
        self.later += 1

    @background_task()
    async def _endless(self):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_background_tasks_go_on_until_the_stop():
    """C5: interval (a callable here), immediate, once, stop on error, cancelled at stop. C6: a failure is logged."""
    one = Busy(fails=2)
    await one.initialize()
    assert one.count == 0
    await one.start()
    await asyncio.wait_for(one.lasting.wait(), 10)
    await one.stop()
    count = one.count
    assert (one.once, one.fragile, one.later, one.cancelled) == (1, 1, 0, True)
    assert one.pauses in (count - 1, count)
    for _ in range(5):
        await asyncio.sleep(0)
    assert one.count == count


async def test_an_interval_is_waited_for_between_two_calls(instant_sleep):
    """C5, K1."""
    pauses = []

    class Hourly(AIPerfLifecycleMixin):
        @background_task(interval_s=3600, immediate=False)
        async def _again(self):
            pauses.append(1)
            if len(pauses) == 3:
                enough.set()

    enough = asyncio.Event()
    one = Hourly()
    await one.initialize()
    await one.start()
    await asyncio.wait_for(enough.wait(), 10)
    await one.stop()


async def test_a_failure_in_the_background_is_logged_and_ends_nothing(caplog):
    """C6, H6."""
    one = Busy(fails=1)
    await one.initialize()
    await one.start()
    await asyncio.wait_for(one.lasting.wait(), 10)
    await one.stop()
    assert "_again failed" in caplog.text
    assert "no luck" in caplog.text


async def test_a_cancelled_start_is_no_running_service():
    """G7."""

    class Slow(AIPerfLifecycleMixin):
        @on_start
        async def _forever(self):
            await asyncio.sleep(3600)

    one = Slow()
    await one.initialize()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await one.start()
    assert one.state is LifecycleState.FAILED
