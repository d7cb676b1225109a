"""PYTEST_DONT_REWRITE. The input and output lengths of each request: from isl and osl, or from a mix of pairs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.config.length_mix import LengthPair, parse_length_mix
from pytest_aiperf.dataset.lengths import Spread
from pytest_aiperf.dataset.streams import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long a prompt is, and what it asks for."""

    isl: Spread
    osl: Spread


class LengthMix:
    """Draws a pair by its share."""

    def __init__(self, choices: Sequence[Lengths], shares: Sequence[float]) -> None:
        self._choices = choices
        self._up_to = list(accumulate(shares))

    @property
    def only_isl(self) -> int | None:
        """Return the input length where every request has the same; else None."""
        spreads = {choice.isl for choice in self._choices}
        first = self._choices[0].isl
        return round(first.mean) if len(spreads) == 1 and first.fixed else None

    def draw(self, streams: Streams) -> Lengths:
        """Return the lengths of the next request; a mix of one draws nothing."""
        if len(self._choices) == 1:
            return self._choices[0]
        return self._choices[bisect_right(self._up_to, streams["seq_dist"].random() * self._up_to[-1])]


def length_mix(config: InputConfig) -> LengthMix:
    """Return the lengths that this configuration asks for."""
    if config.seq_dist is None:
        isl = Spread(name="isl", mean=config.isl, stddev=config.isl_stddev, shape=config.isl_distribution)
        osl = Spread(name="osl", mean=config.osl, stddev=config.osl_stddev, shape=config.osl_distribution)
        return LengthMix([Lengths(isl=isl, osl=osl)], [1.0])
    pairs = [pair for pair in parse_length_mix(config.seq_dist) if pair.prob]
    return LengthMix([_lengths(pair, config) for pair in pairs], [pair.prob for pair in pairs])


def _lengths(pair: LengthPair, config: InputConfig) -> Lengths:
    return Lengths(
        isl=Spread(name="isl", mean=pair.isl, stddev=pair.isl_stddev, shape=config.isl_distribution),
        osl=Spread(name="osl", mean=pair.osl, stddev=pair.osl_stddev, shape=config.osl_distribution),
    )
