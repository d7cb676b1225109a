"""PYTEST_DONT_REWRITE. Motion JPEG in an AVI file: the simplest container that decoders of video read.

The alternatives: uncompressed frames are a hundred times as large; MP4 and WebM take an encoder of H.264 or VP9, which
is a program of its own to install.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

_HAS_INDEX: Final = 0x10
_KEY_FRAME: Final = 0x10


def avi(frames: Sequence[bytes], *, width: int, height: int, fps: int) -> bytes:
    """Return an AVI 1.0 file with an index; every frame is a JPEG file."""
    movie = [_chunk(b"00dc", frame) for frame in frames]
    return _chunk(
        b"RIFF",
        b"AVI "
        + _headers(frames, width, height, fps)
        + _list(b"movi", b"".join(movie))
        + _index(frames, movie),
    )


def _headers(frames: Sequence[bytes], width: int, height: int, fps: int) -> bytes:
    largest = max(map(len, frames))
    main = struct.pack(
        "<14I",
        1_000_000 // fps,
        largest * fps,
        0,
        _HAS_INDEX,
        len(frames),
        0,
        1,
        largest,
        width,
        height,
        0,
        0,
        0,
        0,
    )
    stream = b"vidsMJPG" + struct.pack(
        "<IHHIIIIIIiI4h", 0, 0, 0, 0, 1, fps, 0, len(frames), largest, -1, 0, 0, 0, width, height
    )
    picture = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    return _list(
        b"hdrl", _chunk(b"avih", main) + _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", picture))
    )


def _index(frames: Sequence[bytes], movie: Sequence[bytes]) -> bytes:
    """Where each frame begins, counted from the list's name."""
    entries, at = [], 4
    for frame, chunk in zip(frames, movie, strict=True):
        entries.append(struct.pack("<4sIII", b"00dc", _KEY_FRAME, at, len(frame)))
        at += len(chunk)
    return _chunk(b"idx1", b"".join(entries))


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(name: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", name + data)
