"""The conversations of a run, drawn from its data: those of the warm-up, and the others.

No conversation of the warm-up is one of the others while there are enough: synthetic ones are made of another random
stream, and of a file the last ones are held back for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, cycle
from pathlib import Path
from typing import Final

from pytest_aiperf.common.conversation import Conversation
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.dataset.base_loader import LoaderSettings
from pytest_aiperf.dataset.base_sampler import BaseSampler
from pytest_aiperf.dataset.data_files import open_dataset
from pytest_aiperf.dataset.synthetic_dataset import synthetic_dataset
from pytest_aiperf.endpoints.base_rankings_endpoint import BaseRankingsEndpoint
from pytest_aiperf.measure.stock import Drawn, Stock
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType

SEQUENTIAL: Final = "sequential"
_KEPT_CHARACTERS: Final = 32 * 1024 * 1024


class Draws:
    """Conversations in the order in which they are drawn; as many as are asked for, without end."""

    def __init__(self, endless: Iterator[Drawn]) -> None:
        self._endless = endless
        self._drawn: list[Drawn] = []

    def __getitem__(self, number: int) -> Drawn:
        while len(self._drawn) <= number:
            self._drawn.append(next(self._endless))
        return self._drawn[number]

    def first(self, conversations: int) -> list[Drawn]:
        """Return so many."""
        return [self[number] for number in range(conversations)]

    def holding(self, requests: int) -> list[Drawn]:
        """Return the first ones that hold so many requests together; the last one is not cut."""
        found: list[Drawn] = []
        while requests > 0:
            found.append(self[len(found)])
            requests -= found[-1].outline.size
        return found


class Data:
    """Where the conversations of a run come from."""

    def __init__(self, config: AIPerfConfig, *, most: int) -> None:
        """Open the data: `most` conversations may be wanted, and at most so many different ones are made up.

        Raises:
            ConfigurationError: a file cannot be read, or something in it is wrong.
        """
        self._input = config.input
        path = data_path(config)
        if path is not None:
            self._early = self._others = Stock(_open_file(config, path, most))
            self.at_most: int | None = len(self._others)
            """Conversations of the file; None: they are made up."""
            return
        self.at_most = None
        rankings = _wants_rankings(config)
        single = rankings or (config.input.turns == 1 and not config.input.session_turns_stddev)
        self._early, self._others = (
            Stock(
                synthetic_dataset(config.input, count=most, stream=stream, rankings=rankings),
                kept_characters=0 if single else _KEPT_CHARACTERS,
                single=single,
            )
            for stream in ("warm-up", "prompts")
        )

    @property
    def whole(self) -> Sequence[Drawn]:
        """All conversations of the file, in its order."""
        return [self._others.draw(index) for index in range(len(self._others))]

    def warm_up(self) -> Draws:
        """Return conversations for the warm-up; of a file the last one first."""
        indices = range(len(self._early))
        turned = indices if self.at_most is None else indices[::-1]
        return Draws(self._early.draw(index) for index in cycle(turned))

    def order(self, early: Sequence[Drawn]) -> Draws:
        """Return the conversations of the run: `early` ones of `warm_up`, and then others.

        Those are drawn by the sampler from what the warm-up leaves; when the file has no others left, what was held
        back for the warm-up comes too.
        """
        return Draws(chain(early, self._without(early)))

    def _without(self, early: Sequence[Drawn]) -> Iterator[Drawn]:
        size = len(self._others)
        held_back = 0 if self.at_most is None else len(early)
        sampled = size - held_back if held_back < size else size
        name = self._input.dataset_sampling_strategy or SEQUENTIAL
        sampler: BaseSampler = plugins.get_class(PluginType.SAMPLER, name)(sampled, seed=self._input.seed)
        while True:
            for _ in range(sampled):
                yield self._others.draw(sampler.next_index())
            for index in range(sampled, size):
                yield self._others.draw(index)


def data_path(config: AIPerfConfig) -> str | None:
    """Return the file that the requests come from; None where they are made up."""
    return config.load.fixed_schedule or config.input.input_file


def _open_file(config: AIPerfConfig, path: str, entries: int) -> Sequence[Conversation]:
    given = config.input
    settings = LoaderSettings(
        path=Path(path),
        seed=given.seed,
        isl=given.isl,
        osl=given.osl,
        block_size=given.isl_block_size,
        entries=max(entries, 1),
    )
    return open_dataset(settings, kind=given.custom_dataset_type)


def _wants_rankings(config: AIPerfConfig) -> bool:
    """Return whether the endpoint puts passages in order, instead of answering a prompt."""
    endpoint: type = plugins.get_class(PluginType.ENDPOINT, config.endpoint.type)
    if issubclass(endpoint, BaseRankingsEndpoint):
        return True
    given = [name for name in config.input.unusual if name.startswith("rankings_")]
    if given:
        raise ConfigurationError(
            f"{given[0]} takes an endpoint type that ranks, such as cohere_rankings; it is {config.endpoint.type!r}"
        )
    return False
