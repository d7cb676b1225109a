"""PYTEST_DONT_REWRITE. Made-up rankings: a query, and passages to be put in order."""

from __future__ import annotations

from typing import Final

from pytest_aiperf.common.conversation import Turn
from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.lengths import Spread
from pytest_aiperf.dataset.streams import Streams
from pytest_aiperf.dataset.texts import Texts, drawn_text

_MOST_PASSAGES: Final = 100_000


class Rankings:
    """Draws the rankings of a configuration."""

    def __init__(self, config: InputConfig, texts: Texts) -> None:
        self._texts = texts
        self._passages = Spread(
            name="passages",
            mean=config.rankings_passages_mean,
            stddev=config.rankings_passages_stddev,
            most=_MOST_PASSAGES,
        )
        self._passage = Spread(
            name="passage_lengths",
            mean=config.rankings_passages_prompt_token_mean or config.isl,
            stddev=config.rankings_passages_prompt_token_stddev,
        )
        self._query = Spread(
            name="query_lengths",
            mean=config.rankings_query_prompt_token_mean or config.isl,
            stddev=config.rankings_query_prompt_token_stddev,
        )

    def draw(self, streams: Streams, opening: str) -> Turn:
        """Return one request; every text of it has a beginning of its own."""
        query = self._text(streams, self._query, opening)
        passages = range(1, self._passages.whole(streams) + 1)
        return Turn(
            text=query, texts=tuple(self._text(streams, self._passage, f"{opening}{n}") for n in passages)
        )

    def _text(self, streams: Streams, length: Spread, opening: str) -> str:
        return drawn_text(self._texts, "", length=length, opening=opening, streams=streams)
