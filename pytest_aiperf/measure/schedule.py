"""Which requests a run has and when each is sent: known before the server is asked anything.

Requests come in conversations. In the closed loop a request follows the end of another one. In the open loop each has
a due time, drawn from the seed or read from a file, and the first of them are the warm-up: nothing is sent on top. No
conversation is cut but by the end of the run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heapreplace
from math import ceil, inf
from typing import Final

import numpy as np

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Int64
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.config.load_config import LoadConfig
from pytest_aiperf.engine.arrivals import arrival_times_ns
from pytest_aiperf.engine.cancellation import cancel_delays_ns
from pytest_aiperf.engine.users import UserSchedule, user_schedule
from pytest_aiperf.measure.columns import (
    Conversations,
    Requests,
    linked,
    one_after_the_other,
    pauses_ns,
    sizes_of,
)
from pytest_aiperf.measure.draws import Data, Draws
from pytest_aiperf.measure.replayed import replayed_requests
from pytest_aiperf.measure.stock import Drawn

POOL_WORDS: Final = 1_000_000
POOL_REQUESTS: Final = (200, 5000)
"""Least and most requests of a closed loop that its duration ends: after the last of them the first comes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The requests of one run, as columns of the plan."""

    requests: Requests
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

    @property
    def count(self) -> int:
        """Requests."""
        return len(self.requests.tree)


def build_schedule(config: AIPerfConfig) -> Schedule:
    """Return the schedule that this configuration describes.

    Raises:
        ConfigurationError: a data file cannot be used, or nothing is left to measure.
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
    load, warm_up = config.load, config.load.warm_up_requests
    slots, count = load.concurrency or 1, load.request_count
    if count is None:
        least, most = POOL_REQUESTS
        pool = min(max(POOL_WORDS // config.input.isl, least), most)
        data = Data(config, most=pool)
        # Of a file each conversation once: then the whole comes again.
        trees = data.order(data.warm_up().holding(warm_up)).holding(warm_up + pool)[: data.at_most]
    else:
        data = Data(config, most=warm_up + count + slots)
        trees = _with_drain(data.order(data.warm_up().holding(warm_up)), warm_up + count, slots)
    requests = one_after_the_other(trees)
    return Schedule(
        requests=requests,
        warm_up=warm_up,
        measured=count,
        conversations=linked(config, requests),
    )


def _with_drain(order: Draws, wanted: int, slots: int) -> list[Drawn]:
    """Return the first conversations that hold so many requests, and further ones.

    While the last ones run, no slot can be refilled any more, and a conversation keeps its slot to its end. So there
    are as many requests beyond those wanted as the largest conversations have that can be open together.
    """
    trees: list[Drawn] = []
    largest = [1] * slots
    held, open_together = 0, slots
    while True:
        trees.append(order[len(trees)])
        size = trees[-1].outline.size
        held += size
        if size > largest[0]:
            open_together += size - heapreplace(largest, size)
        drain = slots - 1 if open_together == slots else open_together
        if held - drain >= wanted:
            return trees


def _request_rate(config: AIPerfConfig) -> Schedule:
    load, warm_up, count = config.load, config.load.warm_up_requests, config.load.request_count
    asked_rate = load.request_rate or 0.0
    wanted = ceil(asked_rate * (load.duration_s or 0.0)) if count is None else warm_up + count
    data = Data(config, most=2 * wanted + 100)
    early = data.warm_up().holding(warm_up)
    order = data.order(early)
    trees = order.holding(max(wanted, 1))
    # Conversations begin, of which there are fewer than requests.
    rate = asked_rate / (int(sizes_of(trees).sum()) / len(trees))
    if load.warm_up is None and load.request_rate_ramp_s is not None:  # the ramp is no steady load
        early = data.warm_up().first(_begun_in_ramp(config, rate))
        rising = int(sizes_of(early).sum())
        if rising > warm_up:
            warm_up, order = rising, data.order(early)
    if count is not None:
        trees = order.holding(warm_up + count)
    beginnings_ns = _arrivals(
        config, rate, count=None if count is None else len(trees), duration_s=load.duration_s
    )
    trees = order.first(len(beginnings_ns))
    requests = one_after_the_other(trees)
    return Schedule(
        requests=requests,
        warm_up=warm_up,
        measured=None,
        due_ns=np.repeat(beginnings_ns, sizes_of(trees)),
        conversations=linked(config, requests),
    )


def _begun_in_ramp(config: AIPerfConfig, rate: float) -> int:
    ramp_s = config.load.request_rate_ramp_s or 0.0
    until_s = min(ramp_s, config.load.duration_s or inf)
    return int(np.count_nonzero(_arrivals(config, rate, duration_s=until_s) < ramp_s * 1e9))


def _arrivals(
    config: AIPerfConfig, rate: float, *, count: int | None = None, duration_s: float | None
) -> Int64:
    load = config.load
    return arrival_times_ns(
        load.arrival_pattern,
        rate=rate,
        seed=config.input.seed,
        count=count,
        duration_s=duration_s,
        smoothness=load.arrival_smoothness or 1.0,
        ramp_s=load.request_rate_ramp_s or 0.0,
        ramp_shape=load.ramp_shape,
    )


def _user_centric(config: AIPerfConfig) -> Schedule:
    load, warm_up = config.load, config.load.warm_up_requests
    limits = [
        None if load.request_count is None else warm_up + load.request_count,
        None if load.duration_s is None else ceil(load.duration_s * (load.user_centric_rate or 0.0)),
    ]
    count = min(limit for limit in limits if limit is not None)
    data = Data(config, most=count + (load.num_users or 1))
    # A conversation that begins in the warm-up is one of its own, also where it goes on behind it.
    early = _crowd(load, data.order([]), min(warm_up, count))[1] if warm_up else []
    found, trees = _crowd(load, data.order(data.warm_up().first(len(early))), count)
    requests = Requests(trees=trees, tree=found.conversation, step=found.turn)
    return Schedule(
        requests=requests,
        warm_up=warm_up,
        measured=None,
        due_ns=found.due_ns,
        conversations=Conversations(
            conversation=found.conversation,
            turn=found.turn,
            after_offsets=found.after_offsets,
            after=found.after,
            delay_ns=np.where(found.turn > 0, pauses_ns(config, requests), 0),
        ),
    )


def _crowd(load: LoadConfig, order: Draws, requests: int) -> tuple[UserSchedule, list[Drawn]]:
    """Return the schedule of so many requests, and the conversations that the users have in it."""
    users = load.num_users or 1
    ready = users + requests // min(tree.outline.size for tree in order.first(users))
    while True:
        trees = order.first(ready)
        for tree in trees:
            if tree.outline.members > 1:
                raise ConfigurationError(
                    f"conversation {tree.name!r} has branches, and a user of a user-centric load sends one "
                    "request at a time: choose another load mode, or data without branches"
                )
        sizes = sizes_of(trees).tolist()
        found = user_schedule(sizes, users=users, rate=load.user_centric_rate or 0.0, count=requests)
        begun = int(found.conversation.max()) + 1
        if begun <= ready:
            return found, trees[:begun]
        ready *= 2


def _fixed_schedule(config: AIPerfConfig) -> Schedule:
    requests, due_ns = replayed_requests(config.load, Data(config, most=0).whole)
    return Schedule(
        requests=requests,
        warm_up=config.load.warm_up_requests,
        measured=None,
        due_ns=due_ns,
        conversations=linked(config, requests),
    )


_BY_MODE: Final = {
    "concurrency": _closed_loop,
    "request_rate": _request_rate,
    "user_centric": _user_centric,
    "fixed_schedule": _fixed_schedule,
}


def _measured_part(schedule: Schedule, request_count: int | None) -> Schedule:
    if schedule.count <= schedule.warm_up:
        raise ConfigurationError(
            f"the load has {schedule.count} requests, and the first {schedule.warm_up} are warm-up: nothing is left to "
            "measure. Make it longer, or lower --aiperf-warmup-request-count."
        )
    rest = schedule.count - schedule.warm_up
    return replace(schedule, measured=rest if request_count is None else min(rest, request_count))
