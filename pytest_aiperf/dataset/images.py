"""PYTEST_DONT_REWRITE. Made-up images: PNG written here, JPEG by pillow."""

from __future__ import annotations

import io
import struct
import zlib
from types import ModuleType
from typing import Final

import numpy as np

from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.data_url import data_url
from pytest_aiperf.dataset.lengths import Spread
from pytest_aiperf.dataset.optional_package import optional_package
from pytest_aiperf.dataset.photo import Pixels, photo
from pytest_aiperf.dataset.streams import Streams

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_RGB: Final = 2
_SUB: Final = 1
"""The filter of each row: a value minus that of the pixel on its left, which is near it."""
_JPEG_QUALITY: Final = 90
_LARGEST: Final = 16_384


class Images:
    """Draws images of a configuration, each another one."""

    def __init__(self, config: InputConfig) -> None:
        self._count = config.image_batch_size if config.image_width_mean else 0
        self._width = Spread(
            name="image_widths", mean=config.image_width_mean, stddev=config.image_width_stddev, most=_LARGEST
        )
        self._height = Spread(
            name="image_heights",
            mean=config.image_height_mean,
            stddev=config.image_height_stddev,
            most=_LARGEST,
        )
        self._pillow: ModuleType | None = None
        if config.image_format == "jpeg":
            self._pillow = optional_package("PIL.Image", extra="media", option="image_format=jpeg")

    def draw(self, streams: Streams) -> tuple[str, ...]:
        """Return the images of one prompt as ``data:`` URLs."""
        return tuple(self._image(streams) for _ in range(self._count))

    def _image(self, streams: Streams) -> str:
        pixels = photo(
            streams["images"], width=self._width.whole(streams), height=self._height.whole(streams)
        )
        if self._pillow is None:
            return data_url("image/png", png(pixels))
        file = io.BytesIO()
        self._pillow.fromarray(pixels).save(file, "JPEG", quality=_JPEG_QUALITY)
        return data_url("image/jpeg", file.getvalue())


def png(pixels: Pixels) -> bytes:
    """Return a PNG file of ``(height, width, 3)`` pixels (ISO/IEC 15948)."""
    height, width, channels = pixels.shape
    filtered = pixels.copy()
    filtered[:, 1:] -= pixels[:, :-1]
    rows = np.full((height, 1 + width * channels), _SUB, dtype=np.uint8)
    rows[:, 1:] = filtered.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, _RGB, 0, 0, 0)
    body = zlib.compress(rows.tobytes())
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
