"""What the loaders of files with one object a row have in common: one checking pass, then rows on demand."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Generic, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel

from pytest_aiperf.common.conversation import Conversation
from pytest_aiperf.dataset.base_loader import BaseDatasetLoader, LoaderSettings
from pytest_aiperf.dataset.conversations import Conversations
from pytest_aiperf.dataset.media_files import MediaFolder
from pytest_aiperf.dataset.problems import Problems
from pytest_aiperf.dataset.record_file import Record, RecordFile, decoded
from pytest_aiperf.dataset.row import Row, RowReader
from pytest_aiperf.dataset.row_index import Groups, RowIndex

M = TypeVar("M", bound=BaseModel)
_MOST_TOLD: Final = 5

R = TypeVar("R", bound=Row)


class Place(NamedTuple):
    """Of a row that is being checked."""

    where: str
    """``line 3``."""
    row: int
    """From 0."""


class RowLoader(BaseDatasetLoader, Generic[R]):
    """A loader of files with one object a row; rows of one session make one conversation."""

    model: type[R]
    wrapped: ClassVar[bool] = False
    """The rows are the list in the key ``data`` of one object."""

    def __init__(self, settings: LoaderSettings) -> None:
        super().__init__(settings)
        self.media = MediaFolder(settings.path)

    @abstractmethod
    def conversation(self, name: str, rows: Sequence[tuple[int, R]]) -> Conversation:
        """Return the conversation of these rows, each with its number from 0."""

    def check(self, row: R, place: Place, problems: Problems) -> None:
        """Note what is wrong with a row beyond its model."""

    def session_of(self, row: R) -> str | None:
        """Return what rows of the same conversation have in common; None: the row is a conversation."""
        session: str | None = getattr(row, "session_id", None)
        return session

    def tag_of(self, row: R) -> int:
        """Return what `misfit` has to know of a row."""
        return 0

    def misfit(self, tags: Sequence[int]) -> str | None:
        """Return why rows with these tags cannot make one conversation."""
        return None

    def is_used(self, row: R) -> bool:
        """Return whether there is a request in this row; others are left out."""
        return True

    def groups(self, index: RowIndex, problems: Problems) -> Sequence[Sequence[int]]:
        """Return which rows make a conversation."""
        return index.by_session()

    def load(self) -> Sequence[Conversation]:
        """Check the file and return its conversations; see `BaseDatasetLoader.load`."""
        path = self.settings.path
        problems = Problems(path)
        file, index = RecordFile(path), RowIndex()
        rows = checked_rows(file, self.model, problems, wrapped=self.wrapped)
        for number, (record, row) in enumerate(rows):
            self.check(row, Place(f"line {record.line}", number), problems)
            if self.is_used(row):
                index.add(record, session=self.session_of(row), tag=self.tag_of(row))
        problems.raise_if_any()
        if not index:
            problems.malformed("", f"holds no request; should hold rows like {self.example}")
            problems.raise_if_any()
        groups = self.groups(index, problems)
        self._check_groups(index, groups, problems)
        problems.raise_if_any()
        return Conversations(len(groups), lambda at: self._made(file, index, groups[at]))

    def _check_groups(self, index: RowIndex, groups: Sequence[Sequence[int]], problems: Problems) -> None:
        for rows in groups.of_several() if isinstance(groups, Groups) else ():
            why = self.misfit([index.tags[row] for row in rows])
            if why is not None:
                problems.malformed(f"line {index.lines[rows[0]]} and {index.lines[rows[1]]}", why)
            if problems.full:
                problems.stop()
                break

    def _made(self, file: RecordFile, index: RowIndex, numbers: Sequence[int]) -> Conversation:
        rows = [
            (number, self.model.model_validate(orjson.loads(file.read(*index.place(number)))))
            for number in numbers
        ]
        return self.conversation(self.session_of(rows[0][1]) or f"row-{numbers[0]}", rows)


def checked_rows(
    file: RecordFile, model: type[M], problems: Problems, *, wrapped: bool = False
) -> Iterator[tuple[Record, M]]:
    """Yield each record that is well formed with its row, until there are problems enough.

    Args:
        file: an open data file.
        model: of its rows.
        problems: takes what is wrong with the others.
        wrapped: the rows are the list in the key ``data`` of one object.
    """
    reader = RowReader(model, problems)
    for record in file.records(problems, wrapped=wrapped):
        where = f"line {record.line}"
        value = decoded(record.data, where, problems)
        row = None if value is None else reader.row(value, where)
        if row is not None:
            yield record, row
        else:
            problems.rows_lost = True
        if problems.full:
            problems.stop()
            break
    if not problems:  # they come first, and a warning may be an error
        _warn_of_unused(file.path, reader.unused)


def _warn_of_unused(path: Path, unused: Mapping[str, str]) -> None:
    """Warn once of the keys in a file that mean nothing here."""
    if unused:
        told = "; ".join(list(unused.values())[:_MOST_TOLD])
        more = f"; and {len(unused) - _MOST_TOLD} more" if len(unused) > _MOST_TOLD else ""
        hint = "; fields of the request's body go into 'extra'" if "extra_body" in unused else ""
        warnings.warn(f"{path}: keys that are not used: {told}{more}{hint}", stacklevel=2)
