"""PYTEST_DONT_REWRITE. The simplest JPEG there is (ITU-T T.81, baseline): every block of 8 x 8 has one colour.

Frames of a video need an encoder, and every decoder reads JPEG. With one colour a block there is no cosine transform:
a block is the difference to the block before and an end mark, looked up in a table.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import numpy.typing as npt

from pytest_aiperf.dataset.photo import Pixels

MCU: Final = 16
"""Pixels of the units a picture is coded in: 2 x 2 blocks of luma, one each of Cb and Cr (4:2:0)."""
_LARGEST_STEP: Final = 255
_CATEGORIES: Final = 9
_CODE_BITS: Final = 4


def _code(step: int) -> str:
    """Bits of a block: the category of its step, the step within it, and the end of the block."""
    category = abs(step).bit_length()
    within = step if step > 0 else step + (1 << category) - 1
    return f"{category:0{_CODE_BITS}b}" + (f"{within:0{category}b}" if category else "") + "0"


_CODES: Final = [_code(step) for step in range(-_LARGEST_STEP, _LARGEST_STEP + 1)]


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _head(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes([1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0])
    lengths_dc = [0] * 16
    lengths_dc[_CODE_BITS - 1] = _CATEGORIES
    steps = bytes([0x00, *lengths_dc, *range(_CATEGORIES)])
    ends = bytes([0x10, 1, *[0] * 15, 0x00])
    return (
        b"\xff\xd8"
        + _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
        + _segment(0xDB, bytes([0] + [8] * 64))  # a step of 8: of a block's eight rows and columns, one level
        + _segment(0xC0, frame)
        + _segment(0xC4, steps + ends)
        + _segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0]))
    )


def mosaic_jpeg(luma: Pixels, chroma: Pixels, *, width: int, height: int) -> bytes:
    """Return a JPEG file.

    Args:
        luma: ``(2 * rows, 2 * columns)`` levels, one for each block of 8 x 8 pixels.
        chroma: ``(rows, columns, 2)`` levels of Cb and Cr, one for each 16 x 16 pixels.
        width: in pixels; there are ``ceil(width / 16)`` columns.
        height: in pixels; there are ``ceil(height / 16)`` rows.
    """
    rows, columns, _ = chroma.shape
    fours = luma.reshape(rows, 2, columns, 2).swapaxes(1, 2).reshape(rows * columns, 4)
    planes = chroma.reshape(-1, 2)
    steps = [_steps(fours), _steps(planes[:, :1]), _steps(planes[:, 1:])]
    bits = "".join([_CODES[step] for step in np.hstack(steps).ravel().tolist()])
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return _head(width, height) + coded.replace(b"\xff", b"\xff\0") + b"\xff\xd9"


def _steps(levels: Pixels) -> npt.NDArray[np.int64]:
    """Return the place in the table of every level's difference to the one before; the first is to 128."""
    flat = levels.astype(np.int64).ravel()
    return np.diff(flat, prepend=128).reshape(levels.shape) + _LARGEST_STEP
