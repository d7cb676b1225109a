"""The fixed workload of a measurement: every run sends the same bytes in the same order at the same times.

What differs between two runs is then the server and not the questions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import Int32
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.dataset.synthesis import synthetic_prompts
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, RequestInfo, Turn
from pytest_aiperf.measure.schedule import Schedule, build_schedule
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Request bodies of one run, when they are sent, and how they divide into warm-up, measured part and drain."""

    bodies: Sequence[bytes]
    """``(schedule.count,)``."""
    schedule: Schedule
    asked_osl: int | None
    """Output tokens that each request asks for; None where they differ."""
    digest: str
    """SHA-256 over all bodies, lengths included, and over the columns of the schedule."""

    @property
    def warm_up(self) -> int:
        """Requests dropped at the start of each run: completions in the closed loop, the first ones in the open one."""
        return self.schedule.warm_up

    @property
    def measured(self) -> int | None:
        """Requests that are measured; None: as many as the run's duration holds."""
        return self.schedule.measured

    @property
    def open_loop(self) -> bool:
        """Requests have due times."""
        return self.schedule.due_ns is not None


def build_workload(config: AIPerfConfig, *, model: str, schedule: Schedule | None = None) -> Workload:
    """Return the workload that this configuration describes."""
    schedule = schedule or build_schedule(config)
    bodies = build_bodies(config, schedule, model=model)
    return Workload(
        bodies=bodies,
        schedule=schedule,
        asked_osl=config.input.osl if schedule.osl is None else None,
        digest=_digest(bodies, schedule),
    )


def build_bodies(
    config: AIPerfConfig, schedule: Schedule, *, model: str, beginning: str = ""
) -> Sequence[bytes]:
    """Return ``(schedule.count,)`` request bodies; every prompt begins with `beginning`, as part of its first word."""
    import orjson

    endpoint: BaseEndpoint = plugins.get_class(PluginType.ENDPOINT, config.endpoint.type)()
    prompts = [beginning + prompt for prompt in _prompts(config, schedule)]
    lengths = np.full(schedule.count, config.input.osl) if schedule.osl is None else schedule.osl
    answer = Turn(text=_answer(config), role="assistant") if schedule.conversations is not None else None
    bodies = []
    for turns, osl in zip(_conversations(prompts, schedule, answer), lengths.tolist(), strict=True):
        request = RequestInfo(
            turns=[*turns[:-1], Turn(text=turns[-1].text, max_tokens=osl)],
            model=model,
            streaming=config.endpoint.streaming,
            extra=config.endpoint.extra,
        )
        bodies.append(orjson.dumps(endpoint.format_payload(request)))
    return bodies


def _prompts(config: AIPerfConfig, schedule: Schedule) -> list[str]:
    seed, isl, warm_up = config.input.seed, config.input.isl, min(schedule.warm_up, schedule.count)
    if schedule.isl is not None:
        return _prompts_of_lengths(schedule.isl, seed)
    early = synthetic_prompts(warm_up, isl=isl, seed=seed, stream="warm-up")
    return [*early, *synthetic_prompts(schedule.count - warm_up, isl=isl, seed=seed, stream="prompts")]


def _prompts_of_lengths(lengths: Int32, seed: int) -> list[str]:
    found = [""] * len(lengths)
    for isl in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == isl).tolist()
        for row, prompt in zip(
            rows, synthetic_prompts(len(rows), isl=isl, seed=seed, stream="trace"), strict=True
        ):
            found[row] = prompt
    return found


def _answer(config: AIPerfConfig) -> str:
    """Stands for every earlier answer in a conversation: the bodies are made before there are any."""
    return synthetic_prompts(1, isl=config.input.osl, seed=config.input.seed, stream="answers")[0]


def _conversations(
    prompts: Sequence[str], schedule: Schedule, answer: Turn | None
) -> Sequence[Sequence[Turn]]:
    """Return for each request the turns up to it; a user in the middle of a conversation had some before the run."""
    if schedule.conversations is None or answer is None:
        return [[Turn(text=prompt)] for prompt in prompts]
    so_far: dict[int, list[Turn]] = {}
    found = []
    numbers, turns = schedule.conversations.conversation.tolist(), schedule.conversations.turn.tolist()
    for prompt, number, turn in zip(prompts, numbers, turns, strict=True):
        history = so_far.setdefault(number, [])
        while len(history) < 2 * turn:
            history += [Turn(text=f"{len(history)} {prompt}"), answer]
        found.append([*history, Turn(text=prompt)])
        history += [Turn(text=prompt), answer]
    return found


def _digest(bodies: Sequence[bytes], schedule: Schedule) -> str:
    digest = hashlib.sha256()
    for body in bodies:
        digest.update(len(body).to_bytes(8, "big"))
        digest.update(body)
    linked = schedule.conversations
    columns: dict[str, npt.NDArray[Any] | None] = {
        "due_ns": schedule.due_ns,
        "cancel_after_ns": schedule.cancel_after_ns,
        "conversation": linked.conversation if linked else None,
        "delay_ns": linked.delay_ns if linked else None,
    }
    for name, column in columns.items():
        if column is not None:
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(column, dtype=np.int64).tobytes())
    return digest.hexdigest()
