"""Pools of texts and media. A request is one row of each pool, drawn with replacement.

A file is a pool. In a folder each file is one; what it is named is the name of its texts (``query``, ``passages``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import orjson

from pytest_aiperf.common.conversation import Conversation
from pytest_aiperf.common.rng import derive
from pytest_aiperf.dataset.base_loader import BaseDatasetLoader
from pytest_aiperf.dataset.content import CONTENT_KEYS, ContentRow, content_turn, note_faults
from pytest_aiperf.dataset.conversations import Conversations
from pytest_aiperf.dataset.folder import data_files
from pytest_aiperf.dataset.media_files import MediaFolder
from pytest_aiperf.dataset.problems import Problems
from pytest_aiperf.dataset.record_file import RecordFile
from pytest_aiperf.dataset.row_index import RowIndex
from pytest_aiperf.dataset.row_loader import checked_rows


class _Pool(NamedTuple):
    file: RecordFile
    rows: RowIndex
    media: MediaFolder

    def row(self, number: int) -> ContentRow:
        return ContentRow.model_validate(orjson.loads(self.file.read(*self.rows.place(number))))


class RandomPoolLoader(BaseDatasetLoader):
    """As many requests as the settings have entries, drawn by their seed."""

    example: ClassVar[str] = '{"type": "random_pool", "text": "Who are you?", "image": "cat.png"}'

    @classmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Tell by content in a folder's files. A single file looks like requests: it is named, or its rows' type."""
        return path.is_dir() and first is not None and bool(CONTENT_KEYS & first.keys())

    def load(self) -> Sequence[Conversation]:
        """Check the pools and return what is drawn of them; see `BaseDatasetLoader.load`."""
        path = self.settings.path
        found = [_pool(each) for each in (data_files(path) if path.is_dir() else [path])]
        pools = [pool for pool, _ in found]
        for _, problems in found:
            problems.raise_if_any()
        return Conversations(self.settings.entries, lambda at: self._drawn(pools, at))

    def _drawn(self, pools: Sequence[_Pool], at: int) -> Conversation:
        rng = derive(self.settings.seed, f"dataset.random_pool.{at}")
        rows = [(pool.file.path.stem, pool.row(rng.randrange(len(pool.rows)))) for pool in pools]
        turn = replace(content_turn(rows, pools[0].media), max_tokens=self.settings.osl)
        return Conversation(id=f"drawn-{at}", turns=(turn,))


def _pool(path: Path) -> tuple[_Pool, Problems]:
    problems = Problems(path)
    pool = _Pool(RecordFile(path), RowIndex(), MediaFolder(path))
    for number, (record, row) in enumerate(checked_rows(pool.file, ContentRow, problems)):
        note_faults(row, f"line {record.line}", problems, pool.media, conversation=f"row-{number}")
        pool.rows.add(record)
    if not pool.rows:
        problems.malformed("", f"holds no row; should hold rows like {RandomPoolLoader.example}")
    return pool, problems
