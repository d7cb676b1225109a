"""PYTEST_DONT_REWRITE. Texts of a given length: counted in words, or in the tokens of a tokenizer."""

from __future__ import annotations

from random import Random
from typing import Final, Protocol

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.corpus import WORDS
from pytest_aiperf.dataset.lengths import Spread
from pytest_aiperf.dataset.streams import Streams
from pytest_aiperf.dataset.synthesis import in_words
from pytest_aiperf.dataset.tokenizer import Tokenizer, local_tokenizer

_ATTEMPTS: Final = 64


class Texts(Protocol):
    """Makes texts up."""

    def least(self, opening: str) -> int:
        """Return the shortest length of a text that begins so."""

    def extended(self, base: str, *, length: int, opening: str, rng: Random) -> str:
        """Return `base` and a text of this length behind it that begins with the word `opening`."""


class WordTexts:
    """Counts words: about one token each for a real model."""

    def least(self, opening: str) -> int:
        """Return 1: a text may be its beginning alone."""
        return 1

    def extended(self, base: str, *, length: int, opening: str, rng: Random) -> str:
        """Return `base` and `length` words."""
        text = in_words(opening, rng.choices(WORDS, k=length))
        return f"{base} {text}" if base else text


class TokenTexts:
    """Counts tokens, and is exact: encoding the whole text gives those of `base` and so many more.

    Words are drawn, encoded and cut to the number of tokens. A cut can fall where the pieces of a word, decoded and
    encoded again, are other ones; then other words are tried.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def least(self, opening: str) -> int:
        """Return the tokens of this beginning, and one more, as it can take beside another text."""
        return self._count(opening) + 1

    def extended(self, base: str, *, length: int, opening: str, rng: Random) -> str:
        """Return `base` and `length` tokens.

        Raises:
            ConfigurationError: the beginning alone is longer, or the tokenizer does not encode what it decoded.
        """
        beginning = f"{base} {opening}" if base else opening
        total = self._count(base) + length
        if self._count(beginning) > total:
            raise ConfigurationError(
                f"a text of {length} tokens is too short for a beginning of its own: {opening!r} takes "
                f"{self._count(opening)} with this tokenizer; ask for longer texts"
            )
        for _ in range(_ATTEMPTS):
            text = self._cut(beginning, total, rng)
            if self._count(text) == total and text.startswith(base):
                return text
        raise ConfigurationError(
            f"no text of exactly {total} tokens was found in {_ATTEMPTS} attempts: this tokenizer does not encode "
            "what it decoded as the same tokens; leave the option tokenizer out"
        )

    def _cut(self, beginning: str, total: int, rng: Random) -> str:
        """Return the text of the first `total` tokens of this beginning and words."""
        words = [beginning, *rng.choices(WORDS, k=total)]
        ids = self._tokenizer.encode(" ".join(words))
        return self._tokenizer.decode(ids[:total])

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text)) if text else 0


def texts_of(config: InputConfig) -> Texts:
    """Return what makes texts up: by the tokenizer of the configuration, else in words.

    Raises:
        ConfigurationError: the tokenizer cannot be loaded.
    """
    return WordTexts() if config.tokenizer is None else TokenTexts(local_tokenizer(config.tokenizer))


def drawn_text(texts: Texts, base: str, *, length: Spread, opening: str, streams: Streams) -> str:
    """Return `base` and a text behind it whose length is drawn; too short a draw gives the shortest there is."""
    drawn = length.whole(streams)
    if not length.fixed:
        drawn = max(drawn, texts.least(opening))
    return texts.extended(base, length=drawn, opening=opening, rng=streams["texts"])
