"""PYTEST_DONT_REWRITE. The system prompt of every conversation: given, read from a file, or made up."""

from __future__ import annotations

from typing import Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.path_safety import checked_read
from pytest_aiperf.common.rng import derive
from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.texts import Texts, texts_of

_OPENING: Final = "System"


def system_prompt(config: InputConfig, texts: Texts | None = None) -> str | None:
    """Return the system prompt that all conversations share, warm-up ones too; None where there is none.

    `texts` makes it up, where it is to be; by default those of the configuration.

    Raises:
        ConfigurationError: its file cannot be read.
    """
    if config.system_prompt_file is not None:
        return _of_file(config.system_prompt_file)
    if config.shared_system_prompt_length:
        rng = derive(config.seed, "dataset.system_prompt")
        texts = texts or texts_of(config)
        return texts.extended("", length=config.shared_system_prompt_length, opening=_OPENING, rng=rng)
    return config.system_prompt


def _of_file(path: str) -> str:
    data, why = checked_read(path)
    if data is None:
        raise ConfigurationError(
            f"system_prompt_file {path!r} cannot be read: {why or 'there is no such file'}; give the path of a "
            "text file in UTF-8"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"system_prompt_file {path!r} is not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8"
        ) from None
