"""PYTEST_DONT_REWRITE. Conversations that are made up, each when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, overload

from pytest_aiperf.common.conversation import Conversation, Turn
from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.audio import Recordings
from pytest_aiperf.dataset.images import Images
from pytest_aiperf.dataset.lengths import Spread
from pytest_aiperf.dataset.prompts import Prompts
from pytest_aiperf.dataset.rankings import Rankings
from pytest_aiperf.dataset.streams import Streams
from pytest_aiperf.dataset.synthesis import opening
from pytest_aiperf.dataset.system_prompts import system_prompt
from pytest_aiperf.dataset.texts import texts_of
from pytest_aiperf.dataset.video import Videos

_MOST_TURNS: Final = 10_000
_LONGEST_PAUSE_MS: Final = 86_400_000


def synthetic_dataset(
    config: InputConfig, *, count: int, stream: str = "prompts", rankings: bool = False
) -> Sequence[Conversation]:
    """Return `count` made-up conversations, or `num_dataset_entries` where that is fewer.

    Conversation i depends on the seed, the stream, i and the configuration alone, and is made when it is indexed:
    the same one every time. No two begin alike unless prefixes are asked for, and streams of different names have
    none in common. Its `system` is set; its turns are the user's, with `max_tokens`, and from the second on with
    `delay_ms`, to which `session_delay_ratio` has been applied.

    With `rankings` each conversation is one query (`text`) with its passages (`texts`).

    Raises:
        ConfigurationError: a file or an optional package that the configuration needs cannot be read.
    """
    count = min(count, config.num_dataset_entries or count)
    return SyntheticDataset(config, count=count, stream=stream, rankings=rankings)


class SyntheticDataset(Sequence[Conversation]):
    """Made-up conversations. Each takes its numbers from streams of its own."""

    def __init__(self, config: InputConfig, *, count: int, stream: str, rankings: bool = False) -> None:
        texts = texts_of(config)
        self._config, self._count, self._stream = config, count, stream
        self._system = system_prompt(config, texts)
        self._rankings = Rankings(config, texts) if rankings else None
        self._prompts = Prompts(config, stream=stream, texts=texts)
        self._turns = Spread(
            name="turns", mean=config.turns, stddev=config.session_turns_stddev, most=_MOST_TURNS
        )
        self._pause_ms = Spread(
            name="pauses",
            mean=config.turn_delay_ms,
            stddev=config.session_turn_delay_stddev,
            least=0,
            most=_LONGEST_PAUSE_MS,
        )
        self._images, self._audios, self._videos = Images(config), Recordings(config), Videos(config)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Conversation: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Conversation]: ...

    def __getitem__(self, index: int | slice) -> Conversation | Sequence[Conversation]:
        if isinstance(index, slice):
            return [self._conversation(number) for number in range(self._count)[index]]
        return self._conversation(range(self._count)[index])

    def _conversation(self, number: int) -> Conversation:
        streams = Streams(self._config.seed, f"dataset.{self._stream}.{number}")
        if self._rankings is None:
            turns = tuple(self._drawn_turns(number, streams))
        else:
            turns = (self._rankings.draw(streams, opening(number, self._stream)),)
        return Conversation(id=f"{self._stream}-{number}", turns=turns, system=self._system)

    def _drawn_turns(self, number: int, streams: Streams) -> Iterator[Turn]:
        for nth in range(self._turns.whole(streams)):
            (text, *further), osl = self._prompts.draw(number, nth, streams)
            yield Turn(
                text=text,
                texts=tuple(further),
                images=self._images.draw(streams),
                audios=self._audios.draw(streams),
                videos=self._videos.draw(streams),
                max_tokens=osl,
                delay_ms=self._pause_ms.value(streams) * self._config.session_delay_ratio if nth else None,
            )
