"""PYTEST_DONT_REWRITE. Made-up videos: a mosaic of colours that drifts, as motion JPEG in an AVI file."""

from __future__ import annotations

from typing import Final

import numpy as np

from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.avi import avi
from pytest_aiperf.dataset.data_url import data_url
from pytest_aiperf.dataset.mosaic_jpeg import MCU, mosaic_jpeg
from pytest_aiperf.dataset.photo import photo
from pytest_aiperf.dataset.streams import Streams

_CELL: Final = 8
"""Blocks from one random colour to the next."""


class Videos:
    """Draws videos of a configuration, each another one."""

    def __init__(self, config: InputConfig) -> None:
        self._count = config.video_batch_size if config.video_duration else 0
        self._frames = max(1, round(config.video_duration * config.video_fps))
        self._fps, self._width, self._height = config.video_fps, config.video_width, config.video_height

    def draw(self, streams: Streams) -> tuple[str, ...]:
        """Return the videos of one prompt as ``data:`` URLs."""
        return tuple(self._video(streams) for _ in range(self._count))

    def _video(self, streams: Streams) -> str:
        rng = streams["video"]
        rows, columns = -(-self._height // MCU), -(-self._width // MCU)
        luma = photo(rng, width=2 * columns, height=2 * rows, cell=_CELL)[:, :, 0]
        chroma = photo(rng, width=columns, height=rows, cell=_CELL)[:, :, :2]
        frames = [
            mosaic_jpeg(np.roll(luma, number, axis=1), chroma, width=self._width, height=self._height)
            for number in range(self._frames)
        ]
        return data_url("video/x-msvideo", avi(frames, width=self._width, height=self._height, fps=self._fps))
