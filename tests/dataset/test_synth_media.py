"""Images, recordings and videos that are made up: read back by the rules of their formats."""

from __future__ import annotations

import base64
import io
import math
import statistics
import struct
import sys
import wave
import zlib

import numpy as np
import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.rng import derive
from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.audio import speech_like
from pytest_aiperf.dataset.images import png
from pytest_aiperf.dataset.mosaic_jpeg import mosaic_jpeg
from pytest_aiperf.dataset.photo import photo, random_bytes
from pytest_aiperf.dataset.synthetic_dataset import synthetic_dataset


def made(count=3, **options):
    return [one.turns[0] for one in synthetic_dataset(InputConfig(isl=1, **options), count=count)]


def file_of(url, media_type):
    head, data = url.split(",")
    assert head == f"data:{media_type};base64"
    return base64.b64decode(data, validate=True)


def read_png(data):
    """Pixels of a PNG with the filter Sub in every row."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, 1 + 3 * width)
    assert set(rows[:, 0]) == {1}
    return np.cumsum(rows[:, 1:].reshape(height, width, 3), axis=1, dtype=np.uint8)


def test_a_png_holds_its_pixels():
    pixels = photo(derive(1, "test"), width=50, height=33)
    assert pixels.shape == (33, 50, 3)
    assert np.array_equal(read_png(png(pixels)), pixels)


def test_images_have_their_sizes_and_no_two_are_alike():
    turns = made(image_width_mean=40, image_height_mean=30, image_batch_size=2)
    images = [url for turn in turns for url in turn.images]
    assert len(set(images)) == len(images) == 6
    assert {read_png(file_of(url, "image/png")).shape for url in images} == {(30, 40, 3)}


def test_sizes_of_images_spread():
    turns = made(400, image_width_mean=12, image_height_mean=30, image_height_stddev=3)
    shapes = [read_png(file_of(turn.images[0], "image/png")).shape for turn in turns]
    assert {width for _, width, _ in shapes} == {12}
    assert statistics.fmean(height for height, _, _ in shapes) == pytest.approx(
        30, abs=4 * 3 / math.sqrt(400)
    )
    assert statistics.stdev(height for height, _, _ in shapes) == pytest.approx(3, rel=0.15)


def test_a_photo_compresses_as_one_does():
    """Neither noise, which does not, nor flat colours, which go to nothing."""
    pixels = photo(derive(1, "test"), width=300, height=300)
    assert 0.3 < len(png(pixels)) / pixels.size < 0.8
    assert pixels.std() > 30
    steps = np.abs(np.diff(pixels.astype(int), axis=1))
    assert steps.mean() < 10


def test_pixels_do_not_change_from_one_version_or_platform_to_the_next():
    pixels = photo(derive(1, "test"), width=70, height=40)
    assert zlib.crc32(pixels.tobytes()) == 1087466591


def test_bytes_come_in_any_number(monkeypatch):
    monkeypatch.setattr("pytest_aiperf.dataset.photo._CHUNK", 8)
    assert [len(random_bytes(derive(1, "test"), count)) for count in (0, 1, 8, 21)] == [0, 1, 8, 21]


def read_wav(url):
    with wave.open(io.BytesIO(file_of(url, "audio/wav"))) as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return file.getframerate(), samples.reshape(-1, file.getnchannels())


def test_recordings_have_rate_channels_and_length_and_no_two_are_alike():
    turns = made(audio_length_mean=0.5, audio_sample_rate=8000, audio_num_channels=2, audio_batch_size=2)
    urls = [url for turn in turns for url in turn.audios]
    assert len(set(urls)) == len(urls) == 6
    for rate, samples in map(read_wav, urls):
        assert (rate, samples.shape) == (8000, (4000, 2))
        assert 500 < np.abs(samples).max() < 2**15 - 1
        assert not np.array_equal(samples[:, 0], samples[:, 1])


def test_a_recording_has_no_highest_tones_and_swells_and_fades_four_times_a_second():
    samples = speech_like(derive(1, "test"), frames=80_000, channels=1, rate=8000)[:, 0].astype(float)
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    assert spectrum[20_000:].sum() < 0.15 * spectrum.sum()
    loudness = np.sqrt((samples.reshape(-1, 2000) ** 2).mean(axis=0))  # within a quarter of a second
    assert loudness[:200].mean() > 5 * loudness[900:1100].mean()
    assert np.abs(samples).max() < 2**14


def test_lengths_of_recordings_spread_and_are_never_nothing():
    frames = [
        len(read_wav(turn.audios[0])[1])
        for turn in made(600, audio_length_mean=0.1, audio_length_stddev=0.02, audio_sample_rate=2000)
    ]
    assert statistics.fmean(frames) == pytest.approx(200, abs=4 * 40 / math.sqrt(600))
    assert statistics.stdev(frames) == pytest.approx(40, rel=0.12)
    short = made(50, audio_length_mean=0.01, audio_length_stddev=5, audio_sample_rate=1000)
    assert min(len(read_wav(turn.audios[0])[1]) for turn in short) == 10


def chunks_of(data, at=0):
    """Name and body of the chunks of a RIFF file."""
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        assert at + 8 + size <= len(data)
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def read_avi(data):
    """The main header's figures, those of the stream, and the frames, found by the index."""
    ((riff, body),) = chunks_of(data)
    assert (riff, body[:4]) == (b"RIFF", b"AVI ")
    parts = {name + part[:4] if name == b"LIST" else name: part for name, part in chunks_of(body, 4)}
    assert list(parts) == [b"LISThdrl", b"LISTmovi", b"idx1"]
    (_, main), (_, stream) = chunks_of(parts[b"LISThdrl"], 4)
    (_, head), (_, picture) = chunks_of(stream, 4)
    assert head[:8] == b"vidsMJPG"
    assert struct.unpack_from("<IiiHH4s", picture)[3:] == (1, 24, b"MJPG")
    movie, frames = parts[b"LISTmovi"], []
    for name, flags, at, size in struct.iter_unpack("<4sIII", parts[b"idx1"]):
        assert (name, flags) == (b"00dc", 0x10) == (movie[at : at + 4], 0x10)
        assert struct.unpack_from("<I", movie, at + 4) == (size,)
        frames.append(movie[at + 8 : at + 8 + size])
    micros, _, _, _, total, _, streams, _, width, height, *_ = struct.unpack("<14I", main)
    assert (streams, total) == (1, len(frames))
    scale, rate, _, length = struct.unpack_from("<IIII", head, 20)
    assert length == total
    assert micros == 1_000_000 * scale // rate
    return (width, height, rate), frames


def read_mosaic(data):
    """Size and levels of a JPEG whose blocks have one colour: ``(height, width)``, luma, chroma."""
    assert data[:2] == b"\xff\xd8"
    at, segments = 2, {}
    while data[at + 1] != 0xDA:
        (size,) = struct.unpack_from(">H", data, at + 2)
        segments[data[at + 1]] = data[at + 4 : at + 2 + size]
        at += 2 + size
    at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    assert data[-2:] == b"\xff\xd9"
    assert segments[0xDB] == bytes([0] + [8] * 64)
    assert segments[0xC4] == bytes([0x00, 0, 0, 0, 9, *[0] * 12, *range(9)]) + bytes([0x10, 1, *[0] * 15, 0])
    _, height, width, _ = struct.unpack(">BHHB", segments[0xC0][:6])
    assert b"\xff" not in data[at:-2].replace(b"\xff\0", b"")  # that would be a marker
    coded = data[at:-2].replace(b"\xff\0", b"\xff")
    bits = "".join(f"{byte:08b}" for byte in coded)
    rows, columns, at, before = -(-height // 16), -(-width // 16), 0, [128, 128, 128]
    levels = []
    for _ in range(rows * columns):
        for component in (0, 0, 0, 0, 1, 2):
            category = int(bits[at : at + 4], 2)
            within = bits[at + 4 : at + 4 + category]
            assert bits[at + 4 + category] == "0"
            at += 5 + category
            if category:
                step = int(within, 2)
                before[component] += step if within[0] == "1" else step - 2**category + 1
            levels.append(before[component])
    assert set(bits[at:]) <= {"1"}
    assert len(bits) - at < 8
    units = np.array(levels).reshape(rows, columns, 6)
    luma = units[:, :, :4].reshape(rows, columns, 2, 2).swapaxes(1, 2).reshape(2 * rows, 2 * columns)
    return (height, width), luma, units[:, :, 4:]


def test_a_mosaic_holds_its_levels():
    rng = np.random.default_rng(1)
    luma, chroma = (
        rng.integers(0, 256, (6, 10), dtype=np.uint8),
        rng.integers(0, 256, (3, 5, 2), dtype=np.uint8),
    )
    luma[0, :2], chroma[0, :2] = (0, 255), ((255, 0), (0, 255))
    size, read_luma, read_chroma = read_mosaic(mosaic_jpeg(luma, chroma, width=75, height=47))
    assert size == (47, 75)
    assert np.array_equal(read_luma, luma)
    assert np.array_equal(read_chroma, chroma)


def test_a_mosaic_of_the_largest_steps_holds_no_marker():
    """All ones are a byte of 255 then, and that has to be told from a marker."""
    luma = 255 * np.random.default_rng(1).integers(0, 2, (8, 16), dtype=np.uint8)
    _, read_luma, _ = read_mosaic(
        mosaic_jpeg(luma, np.zeros((4, 8, 2), dtype=np.uint8), width=128, height=64)
    )
    assert np.array_equal(read_luma, luma)


def test_videos_have_size_rate_and_length_and_no_two_are_alike():
    turns = made(video_duration=1.5, video_fps=6, video_width=70, video_height=40, video_batch_size=2)
    urls = [url for turn in turns for url in turn.videos]
    assert len(set(urls)) == len(urls) == 6
    for url in urls:
        head, frames = read_avi(file_of(url, "video/x-msvideo"))
        assert (head, len(frames)) == ((70, 40, 6), 9)
        assert {read_mosaic(frame)[0] for frame in frames} == {(40, 70)}
        assert len(set(frames)) == 9


def test_a_video_is_never_without_a_frame():
    (turn,) = made(1, video_duration=0.01, video_fps=1, video_width=16, video_height=16)
    assert len(read_avi(file_of(turn.videos[0], "video/x-msvideo"))[1]) == 1


def test_without_sizes_and_lengths_there_are_no_media():
    (turn,) = made(1)
    assert (turn.images, turn.audios, turn.videos) == ((), (), ())


NEEDS_EXTRA = {
    "image_format=jpeg": ("PIL", {"image_format": "jpeg", "image_width_mean": 9, "image_height_mean": 9}),
    "audio_format=flac": ("soundfile", {"audio_format": "flac", "audio_length_mean": 1}),
}


@pytest.mark.parametrize("option", NEEDS_EXTRA)
def test_without_the_package_the_error_names_the_extra_before_anything_is_made(monkeypatch, option):
    package, options = NEEDS_EXTRA[option]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.Image", raising=False)
    with pytest.raises(
        ConfigurationError,
        match=rf"^{option} takes the package {package}, .* pip install 'pytest-aiperf\[media\]'$",
    ):
        synthetic_dataset(InputConfig(**options), count=1)


def test_a_jpeg_is_one_to_pillow():
    image = pytest.importorskip("PIL.Image", reason="the extra media is not installed")
    (turn,) = made(1, image_format="jpeg", image_width_mean=90, image_height_mean=50)
    opened = image.open(io.BytesIO(file_of(turn.images[0], "image/jpeg")))
    assert (opened.format, opened.size, opened.mode) == ("JPEG", (90, 50), "RGB")
    opened.load()


def test_what_is_written_here_is_read_by_pillow():
    image = pytest.importorskip("PIL.Image", reason="the extra media is not installed")
    pixels = photo(derive(1, "test"), width=50, height=33)
    assert np.array_equal(np.asarray(image.open(io.BytesIO(png(pixels)))), pixels)
    luma = np.full((2, 4), 200, dtype=np.uint8)
    luma[:, 2:] = 50
    frame = image.open(
        io.BytesIO(mosaic_jpeg(luma, np.full((1, 2, 2), 128, dtype=np.uint8), width=32, height=16))
    )
    shown = np.asarray(frame).astype(int)
    assert np.abs(shown[:, :16] - 200).max() <= 1
    assert np.abs(shown[:, 16:] - 50).max() <= 1


def test_a_flac_holds_what_the_wav_does():
    soundfile = pytest.importorskip("soundfile", reason="the extra media is not installed")
    options = {"audio_length_mean": 0.3, "audio_num_channels": 2}
    (flac,), (wav,) = made(1, audio_format="flac", **options), made(1, **options)
    samples, rate = soundfile.read(io.BytesIO(file_of(flac.audios[0], "audio/flac")), dtype="int16")
    assert rate == read_wav(wav.audios[0])[0]
    assert np.array_equal(samples, read_wav(wav.audios[0])[1])
