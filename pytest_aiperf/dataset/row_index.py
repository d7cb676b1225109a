"""Where the rows of a data file lie, and which of them make one conversation: 17 to 37 bytes a row."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pytest_aiperf.dataset.record_file import Record


class RowIndex:
    """Grows by one row after another."""

    def __init__(self) -> None:
        self.lines = array("I")
        self._offsets = array("q")
        self._lengths = array("I")
        self.tags = array("B")
        self._in_session = array("I")
        self._sessions = bytearray()

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, record: Record, *, session: str | None = None, tag: int = 0) -> None:
        """Add a row.

        Args:
            record: where it lies.
            session: rows of the same one belong together; None belongs to no other.
            tag: what the loader wants to know of the row afterwards, 0 to 255.
        """
        if session is not None:
            self._in_session.append(len(self))
            self._sessions += hashlib.blake2b(session.encode(), digest_size=16).digest()
        self.lines.append(record.line)
        self._offsets.append(record.offset)
        self._lengths.append(len(record.data))
        self.tags.append(tag)

    def place(self, row: int) -> tuple[int, int]:
        """Return offset and length of a row, in bytes."""
        return self._offsets[row], self._lengths[row]

    def by_session(self) -> Sequence[Sequence[int]]:
        """Return the rows of each session, sessions and rows in the order of the file."""
        if not self._in_session:
            return Singles(len(self))
        first = np.arange(len(self))
        rows = np.frombuffer(self._in_session, dtype=np.uint32)
        first[rows] = rows[_first_of_same(np.frombuffer(self._sessions, dtype=np.uint64).reshape(-1, 2))]
        return group(first)


class Singles(Sequence[Sequence[int]]):
    """Rows that stand alone."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> list[int]:  # type: ignore[override]  # of one row, never of a slice
        return [index]


class Groups(Sequence[Sequence[int]]):
    """Rows that belong together."""

    def __init__(self, rows: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64]) -> None:
        self._rows = rows
        self._bounds = bounds

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, index: int) -> list[int]:  # type: ignore[override]  # of one group, never of a slice
        begin, end = self._bounds[index : index + 2]
        found: list[int] = self._rows[begin:end].tolist()
        return found

    def of_several(self) -> Iterator[list[int]]:
        """Yield the groups of more than one row."""
        for index in np.flatnonzero(np.diff(self._bounds) > 1).tolist():
            yield self[index]


def group(first: npt.NDArray[np.int64], order_within: npt.NDArray[np.int64] | None = None) -> Groups:
    """Return the rows of each group, groups in the order of their first rows.

    Args:
        first: ``(n_rows,)``, the first row of each row's group.
        order_within: ``(n_rows,)``, by which the rows of a group are sorted; None: as they come.
    """
    order = np.argsort(first, kind="stable") if order_within is None else np.lexsort((order_within, first))
    begins = np.flatnonzero(np.diff(first[order], prepend=-1))
    return Groups(order, np.append(begins, len(first)))


def _first_of_same(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return for each key of two numbers the index of the first one that is the same."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: of the same ones the first comes first
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[is_new][np.cumsum(is_new) - 1]
    return first
