"""PYTEST_DONT_REWRITE. Made-up recordings: WAV written here, FLAC by soundfile; 16 bits a sample."""

from __future__ import annotations

import io
import wave
from random import Random
from types import ModuleType
from typing import Final

import numpy as np
import numpy.typing as npt

from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.data_url import data_url
from pytest_aiperf.dataset.lengths import Spread
from pytest_aiperf.dataset.optional_package import optional_package
from pytest_aiperf.dataset.photo import random_bytes
from pytest_aiperf.dataset.streams import Streams

Samples = npt.NDArray[np.int16]

_SYLLABLES_PER_S: Final = 4
_SMOOTHED: Final = 8
"""Samples of a moving average: it takes away the highest tones, which speech does not have."""
_LONGEST_S: Final = 3600
_SHORTEST_S: Final = 0.01


class Recordings:
    """Draws recordings of a configuration, each another one."""

    def __init__(self, config: InputConfig) -> None:
        self._count = config.audio_batch_size if config.audio_length_mean else 0
        self._length_s = Spread(
            name="audio_lengths",
            mean=config.audio_length_mean,
            stddev=config.audio_length_stddev,
            least=_SHORTEST_S,
            most=_LONGEST_S,
        )
        self._rate, self._channels = config.audio_sample_rate, config.audio_num_channels
        self._soundfile: ModuleType | None = None
        if config.audio_format == "flac":
            self._soundfile = optional_package("soundfile", extra="media", option="audio_format=flac")

    def draw(self, streams: Streams) -> tuple[str, ...]:
        """Return the recordings of one prompt as ``data:`` URLs."""
        return tuple(self._recording(streams) for _ in range(self._count))

    def _recording(self, streams: Streams) -> str:
        frames = max(1, round(self._length_s.value(streams) * self._rate))
        samples = speech_like(streams["audio"], frames=frames, channels=self._channels, rate=self._rate)
        if self._soundfile is None:
            return data_url("audio/wav", wav(samples, rate=self._rate))
        file = io.BytesIO()
        self._soundfile.write(file, samples, self._rate, format="FLAC", subtype="PCM_16")
        return data_url("audio/flac", file.getvalue())


def speech_like(rng: Random, *, frames: int, channels: int, rate: int) -> Samples:
    """Return ``(frames, channels)``: noise without its highest tones that swells and fades as syllables do."""
    noise = random_bytes(rng, 2 * (frames + _SMOOTHED) * channels).view("<i2").reshape(-1, channels)
    summed = np.cumsum(noise, axis=0, dtype=np.int64)
    smooth = (summed[_SMOOTHED:] - summed[:-_SMOOTHED]) // _SMOOTHED
    syllable = rate // _SYLLABLES_PER_S
    loudness = np.abs(np.arange(frames) % syllable - syllable // 2)[:, None]
    return (smooth * loudness // syllable).astype(np.int16)


def wav(samples: Samples, *, rate: int) -> bytes:
    """Return a WAV file of ``(frames, channels)`` samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(samples.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()
