"""What a dataset loader is: it tells whether a file is of its shape, and gives the conversations in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_aiperf.common.conversation import Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderSettings:
    """What the user says about a data file."""

    path: Path
    seed: int = 1
    isl: int = 128
    """Length of a prompt, where a row gives none, in tokens."""
    osl: int | None = None
    """Output length of rows that give none; None leaves it to the server."""
    block_size: int | None = None
    """Tokens of a block that a hash id names; None: the loader's own."""
    entries: int = 100
    """Conversations that are drawn from a pool; files that list their conversations have as many as they list."""


class BaseDatasetLoader(ABC):
    """Reads one shape of data file. A file may be larger than the memory: rows are read when they are asked for."""

    default_block_size: ClassVar[int] = 512
    example: ClassVar[str] = ""
    """How the first line of such a file looks, for messages."""

    def __init__(self, settings: LoaderSettings) -> None:
        self.settings = settings

    @classmethod
    @abstractmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Return whether this path is of this shape.

        Args:
            path: a file or a folder.
            first: the object in the file's first line, or the first one of the list in it; of a folder that of its
                first file. None if there is none.
        """

    @abstractmethod
    def load(self) -> Sequence[Conversation]:
        """Return the conversations, in the order of the file; each is made when it is indexed.

        Raises:
            ConfigurationError: the file is malformed: all problems at once, up to 20, each with its line and key.
            NotImplementedError: it asks for what is not supported; ``conversation '<id>' turn <n>: <reason>``.
        """
