"""Which requests a run has and when each is sent: known before the server is asked anything.

In the closed loop a request follows the end of another one. In the open loop each has a due time, drawn from the
seed or read from a file, and the first of them are the warm-up: nothing is sent on top.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Int32, Int64
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.engine.arrivals import arrival_times_ns
from pytest_aiperf.engine.cancellation import cancel_delays_ns
from pytest_aiperf.engine.conversations import turns_in_order
from pytest_aiperf.engine.users import user_schedule
from pytest_aiperf.measure.trace import read_trace

POOL_WORDS: Final = 1_000_000
POOL_REQUESTS: Final = (200, 5000)
"""Least and most prompts of a closed loop that its duration ends: after the last of them the first comes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversations:
    """What belongs together, and what follows what. Shapes: ``(n,)`` unless stated; names are those of the plan."""

    conversation: Int32
    turn: Int32
    """Turns that the request's conversation has had before it."""
    after_offsets: Int64
    """``(n + 1,)``."""
    after: Int32
    """``(m,)``."""
    delay_ns: Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The requests of one run, as columns of the plan."""

    count: int
    warm_up: int
    """Closed loop: completions that are dropped at the start. Open loop: so many first requests are."""
    measured: int | None
    """Requests that follow the warm-up and count; None: as many as the duration holds."""
    due_ns: Int64 | None = None
    """``(count,)``, not falling; None in the closed loop."""
    conversations: Conversations | None = None
    """None where requests stand alone."""
    cancel_after_ns: Int64 | None = None
    """``(count,)``: cancelled so long after it was sent, or never."""
    isl: Int32 | None = None
    """``(count,)``: words of each prompt, where they differ from the configured ones."""
    osl: Int32 | None = None


def build_schedule(config: AIPerfConfig) -> Schedule:
    """Return the schedule that this configuration describes.

    Raises:
        ConfigurationError: the file of a fixed schedule cannot be used, or nothing is left to measure.
    """
    schedule = _BY_MODE[config.load.mode](config)
    if schedule.due_ns is not None:
        schedule = _measured_part(schedule, config.load.request_count)
    percent = config.load.cancellation_percent
    if not percent:
        return schedule
    cancel_after_ns = cancel_delays_ns(
        schedule.count,
        share=percent / 100,
        delay_s=config.load.cancellation_delay_s or 0.0,
        seed=config.input.seed,
        first=schedule.warm_up,
    )
    return replace(schedule, cancel_after_ns=cancel_after_ns)


def _closed_loop(config: AIPerfConfig) -> Schedule:
    load, turns = config.load, config.input.turns
    slots = load.concurrency or 1
    if load.request_count is None:
        least, most = POOL_REQUESTS
        further = min(max(POOL_WORDS // config.input.isl, least), most)
    else:
        # While the last ones run, no slot can be refilled any more; a conversation keeps its slot to its end.
        further = load.request_count + (slots - 1 if turns == 1 else slots * turns)
    count = -(-(load.warm_up_requests + further) // turns) * turns
    return Schedule(
        count=count,
        warm_up=load.warm_up_requests,
        measured=load.request_count,
        conversations=_turn_by_turn(count, config),
    )


def _request_rate(config: AIPerfConfig) -> Schedule:
    load, turns = config.load, config.input.turns
    warm_up = load.warm_up_requests
    due_ns = _arrivals(config, warm_up)
    if load.warm_up is None and load.request_rate_ramp_s is not None:  # the ramp is no steady load
        rising = int(np.count_nonzero(_arrivals(config, None) < load.request_rate_ramp_s * 1e9)) * turns
        if rising > warm_up:
            warm_up, due_ns = rising, _arrivals(config, rising)
    due_ns = np.repeat(due_ns, turns)
    count = len(due_ns)
    return Schedule(
        count=count,
        warm_up=warm_up,
        measured=None,
        due_ns=due_ns,
        conversations=_turn_by_turn(count, config),
    )


def _arrivals(config: AIPerfConfig, warm_up: int | None) -> Int64:
    """Return when conversations begin, of which there are fewer than requests; with no warm-up named, of the ramp."""
    load, turns = config.load, config.input.turns
    wanted, duration_s = load.request_count, load.duration_s
    if warm_up is None:
        wanted, duration_s = None, min(load.request_rate_ramp_s or 0.0, duration_s or float("inf"))
    elif wanted is not None:
        wanted = -(-(warm_up + wanted) // turns)
    return arrival_times_ns(
        load.arrival_pattern,
        rate=(load.request_rate or 0.0) / turns,
        seed=config.input.seed,
        count=wanted,
        duration_s=duration_s,
        smoothness=load.arrival_smoothness or 1.0,
        ramp_s=load.request_rate_ramp_s or 0.0,
        ramp_shape=load.ramp_shape,
    )


def _user_centric(config: AIPerfConfig) -> Schedule:
    load = config.load
    wanted = None if load.request_count is None else load.warm_up_requests + load.request_count
    users = user_schedule(
        [config.input.turns],
        users=load.num_users or 1,
        rate=load.user_centric_rate or 0.0,
        count=wanted,
        duration_s=load.duration_s,
    )
    return Schedule(
        count=len(users.due_ns),
        warm_up=load.warm_up_requests,
        measured=None,
        due_ns=users.due_ns,
        conversations=Conversations(
            conversation=users.conversation,
            turn=users.turn,
            after_offsets=users.after_offsets,
            after=users.after,
            delay_ns=_pauses_ns(users.turn, config),
        ),
    )


def _fixed_schedule(config: AIPerfConfig) -> Schedule:
    trace = read_trace(config.load, isl=config.input.isl, osl=config.input.osl)
    return Schedule(
        count=len(trace.due_ns),
        warm_up=config.load.warm_up_requests,
        measured=None,
        due_ns=trace.due_ns,
        isl=trace.isl,
        osl=trace.osl,
    )


_BY_MODE: Final = {
    "concurrency": _closed_loop,
    "request_rate": _request_rate,
    "user_centric": _user_centric,
    "fixed_schedule": _fixed_schedule,
}


def _turn_by_turn(count: int, config: AIPerfConfig) -> Conversations | None:
    """Return conversations of equal length, one after the other; None where each is a single request."""
    if config.input.turns == 1:
        return None
    number, turn = (c.astype(np.int32) for c in np.divmod(np.arange(count), config.input.turns))
    offsets, after = turns_in_order(number)
    return Conversations(
        conversation=number,
        turn=turn,
        after_offsets=offsets,
        after=after,
        delay_ns=_pauses_ns(turn, config),
    )


def _pauses_ns(turn: Int32, config: AIPerfConfig) -> Int64:
    return np.where(turn > 0, round(config.input.turn_delay_ms * 1e6), 0).astype(np.int64)


def _measured_part(schedule: Schedule, request_count: int | None) -> Schedule:
    if schedule.count <= schedule.warm_up:
        raise ConfigurationError(
            f"the load has {schedule.count} requests, and the first {schedule.warm_up} are warm-up: nothing is left to "
            "measure. Make it longer, or lower --aiperf-warmup-request-count."
        )
    rest = schedule.count - schedule.warm_up
    return replace(schedule, measured=rest if request_count is None else min(rest, request_count))
