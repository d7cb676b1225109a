"""Whole request bodies, sent as they are.

A file is a body a line. In a folder a ``.jsonl`` file is a conversation, a body a line, and a ``.json`` file one body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import orjson

from pytest_aiperf.common.conversation import Conversation, Turn
from pytest_aiperf.dataset.base_loader import BaseDatasetLoader
from pytest_aiperf.dataset.conversations import Conversations
from pytest_aiperf.dataset.folder import data_files
from pytest_aiperf.dataset.problems import Problems, refusal, shown
from pytest_aiperf.dataset.record_file import Record, RecordFile, decoded
from pytest_aiperf.dataset.row_index import RowIndex

_TRACE_KEYS = frozenset(
    {"timestamp", "delay", "session_id", "output_length", "input_length", "text_input", "expected"}
)


class RawPayloadLoader(BaseDatasetLoader):
    """Bodies for whatever endpoint they are made for."""

    example: ClassVar[str] = (
        '{"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64}'
    )

    @classmethod
    def can_load(cls, path: Path, first: Mapping[str, Any] | None) -> bool:
        """Tell by messages and nothing that is a trace's. Bodies of other APIs look like anything: they are named."""
        return (
            first is not None and isinstance(first.get("messages"), list) and not _TRACE_KEYS & first.keys()
        )

    def load(self) -> Sequence[Conversation]:
        """Check the bodies and return their conversations; see `BaseDatasetLoader.load`."""
        path = self.settings.path
        return self._load_folder(path) if path.is_dir() else self._load_file(path)

    def _load_file(self, path: Path) -> Sequence[Conversation]:
        file, index, problems = RecordFile(path), RowIndex(), Problems(path)
        for record, _ in _bodies(file, problems):
            index.add(record)
        problems.raise_if_any()
        if not index:
            raise refusal(path, f"holds no body; should hold rows like {self.example}")
        return Conversations(
            len(index), lambda at: _conversation(f"row-{at}", [orjson.loads(file.read(*index.place(at)))])
        )

    def _load_folder(self, path: Path) -> Sequence[Conversation]:
        files = data_files(path)
        problems = Problems(path)
        for each in files:
            problems.path, before = each, len(problems)
            count = sum(1 for _ in _bodies(RecordFile(each), problems))
            if count == 0 and len(problems) == before:
                problems.malformed("", "holds no body")
            if problems.full:
                problems.stop()
                break
        problems.raise_if_any()
        return Conversations(len(files), lambda at: _conversation(files[at].stem, _read_again(files[at])))


def _bodies(file: RecordFile, problems: Problems) -> Iterator[tuple[Record, Any]]:
    """Yield the records of a file that are objects, each with what it says."""
    for record in file.records(problems):
        where = f"line {record.line}"
        body = decoded(record.data, where, problems)
        if isinstance(body, dict):
            yield record, body
        elif body is not None:
            problems.malformed(where, f"{shown(body)} is no body; should be an object {{...}}")
        if problems.full:
            problems.stop()
            break


def _read_again(path: Path) -> list[Any]:
    problems = Problems(path)
    bodies = [body for _, body in _bodies(RecordFile(path), problems)]
    problems.raise_if_any()
    return bodies


def _conversation(name: str, bodies: Sequence[Any]) -> Conversation:
    return Conversation(id=name, turns=tuple(Turn(raw_payload=body) for body in bodies), with_history=False)
