"""Data files for tests, and what is read out of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_aiperf.common.conversation import Conversation, Turn
from pytest_aiperf.dataset.base_loader import LoaderSettings
from pytest_aiperf.dataset.data_files import open_dataset


def write_rows(path: Path, *rows: Any) -> Path:
    """Write a row a line; texts as they are."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def load_rows(folder: Path, *rows: Any, kind: str | None = None, **settings: Any) -> Sequence[Conversation]:
    """Write rows to a file and load it."""
    return load(write_rows(folder / "data.jsonl", *rows), kind=kind, **settings)


def load(path: Path, *, kind: str | None = None, **settings: Any) -> Sequence[Conversation]:
    """Load a file or folder."""
    return open_dataset(LoaderSettings(path=path, **settings), kind=kind)


def turns_of(conversations: Sequence[Conversation]) -> list[Turn]:
    """Return all turns, in their order."""
    return [turn for each in conversations for turn in each.turns]
