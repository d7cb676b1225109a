"""The records of a data file, one at a time: lines of JSON, or the elements of one JSON list.

A file may be larger than the memory. One pass finds where each record lies; afterwards any of them is read alone, out
of the same open file, so that what was checked is what is read. A list is cut into its elements by the decoder of the
standard library, which tells where a value ends; orjson does not.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Iterator
from itertools import islice
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.path_safety import checked_open
from pytest_aiperf.dataset.problems import Problems, refusal

MAX_RECORD_BYTES: Final = 64 * 1024 * 1024
_CHUNK: Final = 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_WRAPPED: Final = re.compile(rb'\s*\{\s*"data"\s*:\s*(?=\[)')
_LIST: Final = re.compile(rb"\s*(?=\[)")
_HEAD: Final = 4096
_TOO_LARGE: Final = f"a record is larger than {MAX_RECORD_BYTES // 2**20} MiB; split it"


class Record(NamedTuple):
    """Where a record lies, and its bytes."""

    line: int
    """Of its beginning, from 1."""
    offset: int
    data: bytes


class RecordFile:
    """An open data file. It is closed when nothing refers to it any more."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            ConfigurationError: there is none, or it is refused: a link, a device, a pipe.
        """
        descriptor, why = checked_open(path)
        if descriptor is None:
            raise refusal(path, f"cannot be read: {why or 'there is no such file'}")
        self.path = path
        self._descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)
        self._stamp = self._state()
        self._size_bytes = self._stamp[0]
        self._begin = len(_BOM) if os.pread(descriptor, len(_BOM), 0) == _BOM else 0

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes of a record that `records` found.

        Raises:
            ConfigurationError: the file is not what it was.
        """
        if self._state() != self._stamp:
            raise ConfigurationError(f"{self.path} was changed after it was checked; start again")
        return os.pread(self._descriptor, length, offset)

    def head(self) -> bytes:
        """Return the first bytes, without a byte order mark."""
        return os.pread(self._descriptor, _HEAD, self._begin)

    @property
    def is_wrapped(self) -> bool:
        """It is one object whose first key is ``data``, and a list in that."""
        return _WRAPPED.match(self.head()) is not None

    @property
    def is_list(self) -> bool:
        """It is one list."""
        return _LIST.match(self.head()) is not None

    def records(self, problems: Problems, *, wrapped: bool = False) -> Iterator[Record]:
        """Yield the records in their order: of a list its elements, else the lines that are not blank.

        A file of one object on several lines is one record.

        Args:
            problems: takes what stops it before the end.
            wrapped: the list is that in an object's first key, ``data``.
        """
        if wrapped or self.is_list:
            yield from self._elements(problems, _WRAPPED if wrapped else _LIST, "}" if wrapped else "")
        elif self._is_one_object():
            yield Record(1, self._begin, self._all())
        else:
            yield from self._lines(problems)

    def _is_one_object(self) -> bool:
        """Return whether the first line is no JSON and the whole file is."""
        first = next(self._lines(Problems(self.path)), None)
        if first is None or self._size_bytes > MAX_RECORD_BYTES or _is_json(first.data):
            return False
        return _is_json(self._all())

    def _all(self) -> bytes:
        return self.read(self._begin, self._size_bytes - self._begin)

    def _lines(self, problems: Problems) -> Iterator[Record]:
        offset, line = self._begin, 0
        with os.fdopen(os.dup(self._descriptor), "rb", buffering=_CHUNK) as file:
            file.seek(offset)
            while data := file.readline(MAX_RECORD_BYTES + 1):
                line += 1
                start, offset = offset, offset + len(data)
                if len(data) > MAX_RECORD_BYTES:
                    problems.malformed(f"line {line}", _TOO_LARGE)
                    return
                if not data.isspace():
                    yield Record(line, start, data)

    def _elements(self, problems: Problems, opening: re.Pattern[bytes], closing: str) -> Iterator[Record]:
        head = self.head()
        begin = opening.match(head)
        if begin is None:
            problems.malformed("line 1", f'begins with {head[:20]!r}; should begin with {{"data": [')
            return
        text = _Window(
            self._descriptor, self._begin + begin.end() + 1, line=1 + head.count(b"\n", 0, begin.end())
        )
        if text.next_character() == "]":
            return
        while True:
            record = text.take_value()
            if isinstance(record, str):
                problems.malformed(f"line {text.line}", record)
                return
            yield record
            separator = text.take_character()
            if separator != ",":
                break
        rest = "".join(islice(iter(text.take_character, ""), 20))
        if separator != "]" or rest != closing:
            found = separator + rest
            problems.malformed(
                f"line {text.line}", f"not JSON: {found!r} after a record; should be ',' or ']{closing}'"
            )

    def _state(self) -> tuple[int, int]:
        found = os.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns


class _Window:
    """The part of a file in which the next value is looked for.

    Decoded as latin-1, a character is a byte: the decoder's indices are offsets, and the values that it makes are
    thrown away.
    """

    _scan = staticmethod(JSONDecoder().raw_decode)

    def __init__(self, descriptor: int, offset: int, *, line: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self._text = ""
        self._at = 0
        self.line = line

    def next_character(self) -> str:
        """Return the next character that is no space, and leave it there; empty at the end."""
        while True:
            self._pass(_SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]  # it matches nothing too
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take_character(self) -> str:
        """Return the next character that is no space, and go past it; empty at the end."""
        found = self.next_character()
        self._pass(self._at + len(found))
        return found

    def take_value(self) -> Record | str:
        """Return the next value and go past it, or why there is none."""
        self.next_character()
        while True:
            try:
                return self._record(self._scan(self._text, self._at)[1])
            except RecursionError:
                return "nested too deeply"
            except JSONDecodeError as error:
                if len(self._text) - self._at > MAX_RECORD_BYTES:
                    return f"not JSON ({error.msg}), or {_TOO_LARGE}"
                if not self._more():
                    return f"not JSON: {error.msg}"

    def _record(self, end: int) -> Record:
        data = self._text[self._at : end].encode("latin-1")
        record = Record(self.line, self._offset + self._at, data)
        self._pass(end)
        return record

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        """Read on, as much again as there is unread, and forget what is past; False at the end of the file."""
        left = self._text[self._at :]
        self._offset += self._at
        wanted = max(_CHUNK, len(left))
        data = os.pread(self._descriptor, wanted, self._offset + len(left))
        self._text, self._at = left + data.decode("latin-1"), 0
        return bool(data)


def first_value(path: Path, problems: Problems) -> Any:
    """Return the first record of a file, decoded; ``{"data": [first]}`` where that is how it begins.

    None where there is none, and where it is not JSON, which is noted.
    """
    file = RecordFile(path)
    record = next(file.records(problems, wrapped=file.is_wrapped), None)
    value = decoded(record.data, f"line {record.line}", problems) if record else None
    return {"data": [value]} if file.is_wrapped and record else value


def decoded(data: bytes, where: str, problems: Problems) -> Any:
    """Return what a record says; None where it is not JSON, with a note why."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        problems.malformed(where, _not_json(data, error))
    return None


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _not_json(data: bytes, error: ValueError) -> str:
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        return f"not UTF-8 text: byte 0x{data[wrong.start]:02x} at {wrong.start}; save the file as UTF-8"
    nan = re.search(rb"[:\[,]\s*(-?(?:NaN|Infinity))\b", data)
    if nan:
        return f"{nan[1].decode()} is no number in JSON; give a finite one, or leave the key out"
    return f"not JSON: {error}"
