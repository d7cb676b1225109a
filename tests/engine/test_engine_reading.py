"""Complete answers are read a few at a time, so that what comes meanwhile is received."""

from __future__ import annotations

import asyncio

from pytest_aiperf.engine.reading import Reading


def events_of(answers: int) -> list[object]:
    """What happens, in order: answers by number, and "else" whenever the loop came to do something else."""

    async def main() -> list[object]:
        loop, seen = asyncio.get_running_loop(), []
        over = loop.create_future()

        def other_work() -> None:
            seen.append("else")
            if not over.done():
                loop.call_soon(other_work)

        def afterwards() -> None:
            if not len(reading):
                over.set_result(None)

        reading = Reading(loop, seen.append, afterwards)
        for number in range(answers):
            reading.add(number)
        loop.call_soon(other_work)
        await asyncio.wait_for(over, 10)
        return seen

    return asyncio.run(main())


def test_every_answer_is_read_once_and_in_order():
    assert [event for event in events_of(100) if event != "else"] == list(range(100))


def turns_of(answers: int) -> list[int]:
    """How many answers are read between two turns of the loop."""
    turns = [0]
    for event in events_of(answers):
        if event == "else":
            turns.append(0)
        else:
            turns[-1] += 1
    return turns


def test_the_loop_gets_its_turn_after_every_few():
    turns = turns_of(512)
    assert max(turns) == 64 + 512 // 8
    assert sum(1 for answers in turns if answers) > 4


def test_what_waits_does_not_grow_without_end_however_much_comes():
    """As many come in each turn as in a closed loop of 256 slots."""

    async def main() -> int:
        loop, longest = asyncio.get_running_loop(), 0
        reading = Reading(loop, lambda _: None, lambda: None)
        for _ in range(1000):
            for number in range(256):
                reading.add(number)
            longest = max(longest, len(reading))
            await asyncio.sleep(0)
        return longest

    assert asyncio.run(main()) < 2000
