"""PYTEST_DONT_REWRITE. A tokenizer from a local ``tokenizer.json``. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.path_safety import checked_read
from pytest_aiperf.dataset.optional_package import optional_package

_MAX_BYTES: Final = 256 * 1024 * 1024
"""The largest vocabularies in use take some 35 MB."""


class Tokenizer(Protocol):
    """Text to token ids and back, without the special tokens that a server puts around a prompt."""

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of a text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return a text of these ids."""


class LocalTokenizer:
    """A tokenizer of the package `tokenizers`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of a text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return a text of these ids."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))


def local_tokenizer(path: str) -> LocalTokenizer:
    """Return the tokenizer that this ``tokenizer.json`` describes.

    Raises:
        ConfigurationError: there is no such file, it is no tokenizer, or the package is missing.
    """
    package = optional_package("tokenizers", extra="tokenizers", option=f"tokenizer={path}")
    data, why = checked_read(path, max_bytes=_MAX_BYTES)
    if data is None:
        raise ConfigurationError(
            f"tokenizer {path!r} cannot be read: {why or 'there is no such file'}; give the path of a "
            "tokenizer.json, as it lies beside the weights of the model"
        )
    try:
        return LocalTokenizer(package.Tokenizer.from_buffer(data))
    except Exception as error:  # the package raises nothing narrower
        raise ConfigurationError(f"tokenizer {path!r} is not a tokenizer.json: {error}") from error
