"""PYTEST_DONT_REWRITE. Leaves out of a stream what need not be decoded to be counted.

Nearly all messages of a token stream are the same bytes but for one JSON string, the token. Decoding each of them
would be most of what a request costs the load process. Here such a row is folded to its first and its last message;
what is left is decoded and read as ever, and the ones between count as the two that frame them. A row is folded only if
every message in it has the bytes of the first around a string that is not empty and holds no quote, no backslash and no
control character, so that whatever reads JSON would find the same there but for the text of that string.

What is left differs little from stream to stream: in the texts of those two messages and in the stream's id. Without
them it is the stream's shape, and streams of one shape mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_PREFIX: Final = b"data: "
_END: Final = b"\n\n"
_NOT_PLAIN_TEXT: Final = re.compile(rb'["\\\x00-\x1f]')
_WORTHWHILE: Final = 4
_MOST_LEFT: Final = 16
"""With more messages around the row the stream is something else than a row of tokens."""


class Spelling(NamedTuple):
    """How a server writes a key and the quote that opens its string."""

    token: bytes
    """Behind this stands the token."""
    stream_id: bytes
    """Behind this stands what differs from stream to stream and means nothing."""


def spellings(token_name: str) -> Sequence[Spelling]:
    """Return the usual spellings: compact, and as Python's json writes it."""
    return [
        Spelling(b'"%b":%b"' % (token_name.encode(), space), b'"id":%b"' % space) for space in (b"", b" ")
    ]


class Folded(NamedTuple):
    """A row in a stream each of whose pieces is one message."""

    first: int
    """Index of the row's first message."""
    end: int
    """Index behind its last one."""
    shape: bytes
    """The bytes of the stream without the row's texts and without the stream's id."""

    def left_of(self, parts: Sequence[bytes]) -> list[bytes] | None:
        """Return the data of the messages that are left, the row's first and last among them.

        None if there is more to the stream than single data lines.
        """
        left = [*parts[: self.first + 1], *parts[self.end - 1 :]]
        data = [piece[6:-2] for piece in left if piece.startswith(_PREFIX) and piece.endswith(_END)]
        joined = b"".join(data)
        return None if len(data) < len(left) or b"\n" in joined or b"\r" in joined else data


def fold(parts: Sequence[bytes], spelling: Spelling, limit_bytes: int) -> Folded | None:
    """Return the row of messages that differ in their token alone.

    None where there is nothing to fold, where anything is out of the ordinary, or where the row is longer than the
    limit of a message, so that somebody has to look at each.
    """
    first, text = _first_token(parts, spelling.token)
    if not text:
        return None
    opening = parts[first]
    close = opening.find(b'"', text)
    before, behind = opening[:text], opening[close:]
    end = len(parts)
    while not (parts[end - 1].startswith(before) and parts[end - 1].endswith(behind)):
        end -= 1  # the first one fits at the latest
    if end - first < _WORTHWHILE or len(parts) - (end - first) > _MOST_LEFT:
        return None
    row = parts[first:end]
    rest = close - len(opening)
    texts = [piece[text:rest] for piece in row]
    joined = b"".join(row)
    if before + (behind + before).join(texts) + behind != joined or len(joined) > limit_bytes:
        return None
    if not all(texts) or _NOT_PLAIN_TEXT.search(b"".join(texts)):
        return None
    return Folded(first, end, _shape(parts, first, end, before, behind, spelling.stream_id))


def _first_token(parts: Sequence[bytes], token: bytes) -> tuple[int, int]:
    """Return the first message with a token that is not empty, and where in it the token begins; 0 if there is none."""
    for i, part in enumerate(parts):
        text = part.find(token) + len(token)
        if text >= len(token) and not part.startswith(b'"', text):
            return i, text
    return 0, 0


def _shape(
    parts: Sequence[bytes], first: int, end: int, before: bytes, behind: bytes, stream_id: bytes
) -> bytes:
    # The pieces are kept apart: no byte of a JSON text is 0, and their number is told.
    whole = b"\0".join([b"%d" % (len(parts) - end), *parts[:first], before, behind, *parts[end:]])
    at = before.find(stream_id)
    if at < 0:
        return whole
    return whole.replace(before[at : before.find(b'"', at + len(stream_id)) + 1], b"")
