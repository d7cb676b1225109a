"""Request bodies: each turn with what was said before it, in the words of the endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from orjson import JSONEncodeError

from pytest_aiperf.common.conversation import Expected, Turn
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.expected_answers import check_expected
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.dataset.synthesis import synthetic_prompts
from pytest_aiperf.dataset.system_prompts import system_prompt
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint, ModelEndpointInfo, RequestInfo
from pytest_aiperf.measure.columns import Requests
from pytest_aiperf.measure.draws import data_path
from pytest_aiperf.measure.steps import ANSWER_ROLE, Step, turns_up_to
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType


class Bodies(NamedTuple):
    """What is sent. Lists have an entry for each request of the plan."""

    bodies: Sequence[bytes]
    asked_osl: int | None
    """Output tokens that each request asks for; None where they differ, or nobody knows."""
    expected: Sequence[Expected | None] | None
    """What the answers should be; None where nothing is expected of any."""


def format_bodies(config: AIPerfConfig, requests: Requests, *, model: str, beginning: str = "") -> Bodies:
    """Return the bodies of all requests. Conversations are dropped as soon as theirs are formatted.

    Args:
        config: endpoint, and what fills in what the data leaves open.
        requests: in the order of the plan.
        model: of those that name none.
        beginning: stands before every text, as part of its first word.

    Raises:
        ConfigurationError: a request holds what the endpoint does not take.
    """
    writer = _Writer(config, model=model, beginning=beginning)
    count = len(requests.tree)
    bodies: list[bytes] = [b""] * count
    lengths: set[int | None] = set()
    expected: list[Expected | None] = [None] * count
    for steps, rows in _by_tree(requests):
        for row, number in rows:
            step = steps[number]
            # A copy: orjson leaves as much room behind what it writes, and all of it would be kept.
            bodies[row] = bytes(memoryview(writer.body(step)))
            lengths.add(writer.length(step.turn))
            expected[row] = writer.expected(step)
    return Bodies(
        bodies=bodies,
        asked_osl=lengths.pop() if len(lengths) == 1 else None,
        expected=expected if any(expected) else None,
    )


def _by_tree(requests: Requests) -> Iterator[tuple[Sequence[Step], list[tuple[int, int]]]]:
    """Yield the requests of each conversation with its branches, and the rows of the plan that are of it."""
    rows = np.argsort(requests.tree, kind="stable")
    ends = np.cumsum(np.bincount(requests.tree, minlength=len(requests.trees))).tolist()
    places = [*zip(rows.tolist(), requests.step[rows].tolist(), strict=True)]
    for tree, start, end in zip(requests.trees, [0, *ends[:-1]], ends, strict=True):
        if start < end:
            yield tree.steps, places[start:end]


class _Writer:
    """Writes down one request after the other."""

    def __init__(self, config: AIPerfConfig, *, model: str, beginning: str) -> None:
        self._config, self._model = config, model
        self._beginning = beginning
        self._endpoint = endpoint_of(config, model=model)
        told = plugins.entry(PluginType.ENDPOINT, config.endpoint.type).metadata
        self._produces_tokens = bool(told.get("produces_tokens", True))
        # Made-up conversations have it already.
        self._system = None if data_path(config) is None else system_prompt(config.input)
        self._answer = cache(self._made_answer)

    def body(self, step: Step) -> bytes:
        """Return the body of one request."""
        turns = turns_up_to(step, self._answer_to)
        if not self._produces_tokens:
            turns[-1] = replace(turns[-1], max_tokens=None)
        system = step.system if self._system is None else self._system
        if self._beginning:
            turns = [self._begun(turn) for turn in turns]
            system = system and self._beginning + system
        request = RequestInfo(
            turns=turns,
            model=self._model,
            streaming=self._config.endpoint.streaming,
            extra=self._config.endpoint.extra,
            system=system,
        )
        try:
            return self._endpoint.body_of(request)
        except (ConfigurationError, JSONEncodeError) as error:
            raise ConfigurationError(f"{_place_of(step)}: {error}") from None

    def length(self, turn: Turn) -> int | None:
        """Return the output tokens that a request asks for; None where nobody knows."""
        asked = self._produces_tokens and self._endpoint.asks_length and turn.raw_payload is None
        return turn.max_tokens if asked else None

    def expected(self, step: Step) -> Expected | None:
        """Return what the answer should be, graded as the user says."""
        expected, grader = step.turn.expected, self._config.input.accuracy_grader
        if expected is None:
            return None
        if grader is not None:
            expected = replace(expected, grader=grader)
        problem = check_expected(expected)
        if type(self._endpoint).text_of is BaseEndpoint.text_of:
            problem = (
                f"an answer is expected, and those of the endpoint type {self._config.endpoint.type!r} are not text: "
                "take it out of the data, or choose another endpoint type"
            )
        if problem is not None:
            raise ConfigurationError(f"{_place_of(step)}: {problem}")
        return expected

    def _answer_to(self, turn: Turn) -> Turn:
        """Stands for the answer that the server will give: the bodies are made before there is one."""
        return self._answer(turn.max_tokens or self._config.input.osl)

    def _made_answer(self, length: int) -> Turn:
        (text,) = synthetic_prompts(1, isl=length, seed=self._config.input.seed, stream="answers")
        return Turn(text=text, role=ANSWER_ROLE)

    def _begun(self, turn: Turn) -> Turn:
        if turn.raw_payload is not None:
            raise ConfigurationError("cache_bust changes texts, and the data has whole bodies: leave it out")
        if turn.role == ANSWER_ROLE:
            return turn
        messages = turn.raw_messages
        return replace(
            turn,
            text=turn.text and self._beginning + turn.text,
            texts=[self._beginning + text for text in turn.texts],
            raw_messages=None if messages is None else [*map(self._begun_message, messages)],
        )

    def _begun_message(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        content = message.get("content")
        if not isinstance(content, str) or not content:
            return message
        return {**message, "content": self._beginning + content}


def endpoint_of(config: AIPerfConfig, *, model: str) -> BaseEndpoint:
    """Return what formats the requests of this configuration."""
    endpoint: type[BaseEndpoint] = plugins.get_class(PluginType.ENDPOINT, config.endpoint.type)
    return endpoint(
        ModelEndpointInfo(
            model=model,
            streaming=config.endpoint.streaming,
            extra=config.endpoint.extra,
            download_video_content=config.endpoint.download_video_content,
        )
    )


def _place_of(step: Step) -> str:
    return f"conversation {step.conversation.id!r} turn {step.place}"
