"""PYTEST_DONT_REWRITE. Reads a complete event stream by the WHATWG rules (HTML standard, 9.2.6).

It works on the whole body at once, after the answer is complete; nothing of it runs while messages arrive. Most
servers write nothing but ``data: …`` and a blank line, and for those the split is done by a handful of calls that run
in C. All else (comments, CR, several data lines, other fields) takes the way line by line. Both give the same messages.

An event that is not closed by a blank line is dropped, as the standard has it. It is given as `unfinished` though,
because servers exist that end with ``data: [DONE]`` and close: who reads the messages may take that one for what it is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class Messages(NamedTuple):
    """The events of a stream that carry data."""

    data: list[bytes]
    """Data of each message; several data lines are joined by LF."""
    part: list[int]
    """Index of the piece of the body with which each message became complete, not falling."""
    unfinished: bytes | None = None
    """Data of a last event that no blank line closed: not a message."""


def read_messages(parts: Sequence[bytes]) -> Messages:
    """Return the messages of a body that came in these pieces."""
    body = b"".join(parts)
    return _read_plain(parts, body) or read_by_line(parts, body)


def _read_plain(parts: Sequence[bytes], body: bytes) -> Messages | None:
    """Read a body that holds single data lines and blank lines only, all written alike; None if it is not one."""
    end = b"\r\n\r\n" if b"\r" in body else b"\n\n"
    prefix = b"data: " if body.startswith(b"data: ") else b"data:"
    if not body.startswith(prefix) or not body.endswith(end):
        return None
    separator = end + prefix
    data = body[len(prefix) : -len(end)].split(separator)
    rest = b"".join(data)
    if b"\n" in rest or b"\r" in rest:  # a line end within a payload: there is more to it than payloads
        return None
    if prefix == b"data:" and any(d.startswith(b" ") for d in data):
        return None
    overhead = len(separator)
    lengths = [len(d) + overhead for d in data]
    if end == b"\n\n":
        if list(map(len, parts)) == lengths:
            return Messages(data, list(range(len(data))))
        return Messages(data, _parts_at(parts, accumulate(lengths)))
    # With CRLF a message is complete at the CR of its blank line: that ends the line, the LF may come later.
    return Messages(data, _parts_at(parts, (position - 1 for position in accumulate(lengths))))


def _parts_at(parts: Sequence[bytes], positions: Iterable[int]) -> list[int]:
    """Return for each position the piece that holds the byte before it."""
    ends = list(accumulate(map(len, parts)))
    return [bisect_left(ends, position) for position in positions]


def read_by_line(parts: Sequence[bytes], body: bytes) -> Messages:
    """Read any body, line by line."""
    messages: list[bytes] = []
    positions: list[int] = []
    lines: list[bytes] = []
    start = len(_BOM) if body.startswith(_BOM) else 0
    for line_end in _LINE_END.finditer(body, start):
        line = body[start : line_end.start()]
        start = line_end.end()
        if line:
            field, _, value = line.partition(b":")
            if field == b"data":
                lines.append(value[1:] if value.startswith(b" ") else value)
        elif lines:
            messages.append(b"\n".join(lines))
            positions.append(line_end.start() + 1)
            lines = []
    rest = body[start:]
    if rest.startswith(b"data:"):
        lines.append(rest[5:].removeprefix(b" "))
    return Messages(messages, _parts_at(parts, positions), b"\n".join(lines) if lines else None)
